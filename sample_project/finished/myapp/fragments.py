import re
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncWebsocketConsumer
from django.template.loader import render_to_string
from msgspec import DecodeError, Struct, json

from .forms import PostForm
from .limits import count
from .models import Topic
from .tokens import user_now


class NewPost(Struct):
    text: str


decode = json.Decoder(NewPost).decode


class TopicPageConsumer(AsyncWebsocketConsumer):
    """Keeps the page of a topic as it would be if one loaded it now."""

    group = None  # until it is known that there is such a topic

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.group:
                await self.channel_layer.group_discard(self.group, self.channel_name)

    async def connect(self):
        slug = self.scope["url_route"]["kwargs"]["slug"]
        query = parse_qs(self.scope["query_string"].decode("latin1"))
        after = query.get("after", [""])[0]
        self.topic = await Topic.objects.filter(slug=slug).afirst()
        if not self.topic or not re.fullmatch("[0-9]{1,18}", after):
            raise DenyConnection
        self.after = self.last = int(after)  # newest post that the page was loaded with, and has
        self.group = f"topic.{slug}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.show_posts(self.after, "innerHTML")

    async def post_created(self, event):
        if event["post"] > self.last > self.after:
            await self.show_posts(self.last, "beforeend")
        else:  # it is the first, or is late, or there already
            await self.show_posts(self.after, "innerHTML")

    async def receive(self, text_data=None, bytes_data=None):
        self.scope["user"] = await user_now(self.scope)
        form = await self.add_post(text_data or "")
        await self.show("fields", form=form)

    @sync_to_async
    def add_post(self, frame):
        try:
            form = PostForm({"text": decode(frame).text})
        except (DecodeError, RecursionError):
            form = PostForm({})
        if not self.scope["user"].is_authenticated:
            form.add_error(None, "You are logged out.")
        if form.is_valid():
            try:
                count("post", self.scope, 10, 60)
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                form.instance.topic = self.topic
                form.instance.author = self.scope["user"]
                form.save()
                return PostForm()
        return form

    async def show_posts(self, after, swap):
        posts = self.topic.posts.filter(pk__gt=after).select_related("author")
        posts = [post async for post in posts]
        self.last = max([self.last, *(post.pk for post in posts)])
        await self.show("new_posts", posts=posts, after=self.after, swap=swap)

    async def show(self, template, **context):
        await self.send(text_data=render_to_string(f"myapp/{template}.html", context))
