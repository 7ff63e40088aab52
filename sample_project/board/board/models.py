from django.db import models


class Learner(models.Model):
    """Somebody who has joined the class, under a name that need not be theirs."""

    digest = models.CharField(max_length=64, unique=True)  # of a key that only they have
    name = models.CharField(max_length=40)
    gone = models.BooleanField(default=False)  # has left, and nothing more is known
    exercise = models.CharField(max_length=10, blank=True)  # that they are on
    hand = models.DateTimeField(null=True)  # raised at
    why = models.CharField(max_length=200, blank=True)
    attended = models.BooleanField(default=False)  # a helper is on the way
    version = models.PositiveBigIntegerField(db_index=True)  # of the newest change

    def __str__(self):
        return self.name


class Work(models.Model):
    """What a learner has done on an exercise, as last reported."""

    learner = models.ForeignKey(Learner, on_delete=models.CASCADE, related_name="works")
    exercise = models.CharField(max_length=10)
    state = models.CharField(max_length=20)
    tries = models.PositiveIntegerField()
    hints = models.PositiveIntegerField()
    message = models.CharField(max_length=600, blank=True)
    since = models.DateTimeField()  # begun
    until = models.DateTimeField(null=True)  # right

    class Meta:
        constraints = [models.UniqueConstraint(fields=["learner", "exercise"], name="one_work")]

    def __str__(self):
        return f"{self.learner}: {self.exercise} {self.state}"


class Push(models.Model):
    """A hint, or a file, for all who were on an exercise when it was sent."""

    exercise = models.CharField(max_length=10)
    text = models.TextField()
    name = models.CharField(max_length=80, blank=True)  # of the file
    content = models.TextField(blank=True)
    sent = models.DateTimeField(auto_now_add=True)
    learners = models.ManyToManyField(Learner, related_name="pushes")

    def __str__(self):
        return f"{self.exercise}: {self.text[:40]}"
