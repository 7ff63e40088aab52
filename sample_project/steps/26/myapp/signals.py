from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from .members import user_group
from .models import Notification, Post


@receiver(post_save, sender=Post)
def announce(sender, instance, created, raw, **kwargs):
    if created and not raw:  # raw: from a fixture
        slug, url = instance.topic.slug, instance.get_absolute_url()
        event = {"type": "post.created", "topic": slug, "post": instance.pk, "url": url}
        transaction.on_commit(lambda: group_send(f"topic.{slug}", event), robust=True)
        transaction.on_commit(lambda: group_send("posts", event), robust=True)
        notify(instance)


def notify(post):
    """Make a notification for everybody who has posted in the topic, but for the author."""
    writers = set(post.topic.posts.values_list("author_id", flat=True)) - {post.author_id}
    Notification.objects.bulk_create(Notification(user_id=pk, post=post) for pk in writers)

    def tell():
        for pk in writers:
            group_send(user_group(pk), {"type": "unread.changed"})

    transaction.on_commit(tell, robust=True)


@receiver(user_logged_out)
def end_sockets(sender, request, user, **kwargs):
    if user:  # somebody was logged in
        event = {"type": "force.close", "session": request.session.session_key}
        group_send(user_group(user.pk), event)


@receiver(post_save, sender=get_user_model())
def account_changed(sender, instance, update_fields, **kwargs):
    if update_fields != {"last_login"}:  # that is a log-in
        event = {"type": "account.changed"}
        transaction.on_commit(lambda: group_send(user_group(instance.pk), event), robust=True)


def group_send(group, event):
    async_to_sync(get_channel_layer().group_send)(group, event)
