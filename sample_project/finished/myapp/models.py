from django.conf import settings
from django.db import models
from django.urls import reverse


class Topic(models.Model):
    title = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)

    class Meta:
        ordering = ["title"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("topic", kwargs={"slug": self.slug})


class Post(models.Model):
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="posts")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.TextField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created", "pk"]

    def __str__(self):
        return f"{self.author}: {self.text[:40]}"

    def get_absolute_url(self):
        return f"{self.topic.get_absolute_url()}#post-{self.pk}"


class Message(models.Model):
    room = models.CharField(max_length=50, db_index=True)
    text = models.CharField(max_length=500)
    key = models.CharField(max_length=36, blank=True)  # chosen by who sends it
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["room", "key"], condition=~models.Q(key=""), name="message_key"
            ),
        ]

    def __str__(self):
        return f"{self.room}: {self.text[:40]}"


class Report(models.Model):
    """An order that a worker has begun."""

    key = models.CharField(max_length=36, unique=True)
    begun = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.key


class Notification(models.Model):
    """Tells a member of a post."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    post = models.ForeignKey(Post, on_delete=models.CASCADE)
    read = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self):
        return f"for {self.user}: {self.post}"


class Token(models.Model):
    """Lets an app in as its user. Only hashes are stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    ticket = models.CharField(max_length=64, blank=True, db_index=True)  # the newest, if unused
    ticket_made = models.DateTimeField(null=True)

    def __str__(self):
        return f"for {self.user}"
