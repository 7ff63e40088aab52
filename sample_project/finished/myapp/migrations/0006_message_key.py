from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("myapp", "0005_token"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="key",
            field=models.CharField(blank=True, default="", max_length=36),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key", ""), _negated=True),
                fields=("room", "key"),
                name="message_key",
            ),
        ),
    ]
