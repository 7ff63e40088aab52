from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from .models import Post


@receiver(post_save, sender=Post)
def announce(sender, instance, created, raw, **kwargs):
    if created and not raw:  # raw: from a fixture
        group = f"topic.{instance.topic.slug}"
        event = {"type": "post.created", "url": instance.get_absolute_url()}
        transaction.on_commit(lambda: group_send(group, event), robust=True)


def group_send(group, event):
    async_to_sync(get_channel_layer().group_send)(group, event)
