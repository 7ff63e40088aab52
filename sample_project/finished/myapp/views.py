from django.contrib.auth.views import redirect_to_login
from django.db.models import Count
from django.shortcuts import get_object_or_404, redirect, render

from .forms import PostForm
from .models import Topic


def home(request):
    topics = Topic.objects.annotate(post_count=Count("posts"))
    return render(request, "myapp/home.html", {"topics": topics})


def topic_detail(request, slug):
    topic = get_object_or_404(Topic, slug=slug)
    if request.method == "POST" and not request.user.is_authenticated:
        return redirect_to_login(request.path)

    form = PostForm(request.POST or None)
    if form.is_valid():
        form.instance.topic = topic
        form.instance.author = request.user
        return redirect(form.save())

    posts = topic.posts.select_related("author")
    return render(request, "myapp/topic.html", {"topic": topic, "posts": posts, "form": form})
