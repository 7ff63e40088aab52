from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.db.models import Count
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from .forms import PostForm
from .limits import count
from .members import user_group
from .models import Topic
from .protocol import schema
from .signals import group_send


def home(request):
    topics = Topic.objects.annotate(post_count=Count("posts"))
    return render(request, "myapp/home.html", {"topics": topics})


def topic_detail(request, slug):
    topic = get_object_or_404(Topic, slug=slug)
    if request.method == "POST" and not request.user.is_authenticated:
        return redirect_to_login(request.path)

    form = PostForm(request.POST or None)
    if form.is_valid():
        try:
            count("post", {"user": request.user}, 10, 60)
        except ValueError as error:
            form.add_error(None, str(error))
        else:
            form.instance.topic = topic
            form.instance.author = request.user
            return redirect(form.save())

    posts = topic.posts.select_related("author")
    after = max((post.pk for post in posts), default=0)
    context = {"topic": topic, "posts": posts, "after": after, "form": form}
    return render(request, "myapp/topic.html", context)


@login_required
def notifications(request):
    mine = request.user.notifications
    if request.method == "POST":
        up_to = request.POST.get("up_to", "")[:20]  # the newest that was shown
        mine.filter(pk__lte=up_to if up_to.isdecimal() else 0).update(read=True)
        group, event = user_group(request.user.pk), {"type": "unread.changed"}
        transaction.on_commit(lambda: group_send(group, event), robust=True)
        return redirect("notifications")

    newest = mine.select_related("post__author", "post__topic")[:20]
    return render(request, "myapp/notifications.html", {"notifications": newest})


def live_schema(request):
    return JsonResponse(schema)
