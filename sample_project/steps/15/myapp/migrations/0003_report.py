from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("myapp", "0002_message"),
    ]

    operations = [
        migrations.CreateModel(
            name="Report",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=36, unique=True)),
                ("begun", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
