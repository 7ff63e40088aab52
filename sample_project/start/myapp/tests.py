from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import TestCase
from django.urls import reverse

from .models import Post, Topic

User = get_user_model()


class NoticeboardTestCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.anna = User.objects.create_user("anna")
        cls.topic = Topic.objects.create(title="Lunch", slug="lunch")
        cls.post = Post.objects.create(topic=cls.topic, author=cls.anna, text="Soup today?")
        cls.url = cls.topic.get_absolute_url()
        cls.login_url = f"{reverse('login')}?next={cls.url}"


class ModelTests(NoticeboardTestCase):
    def test_str(self):
        self.assertEqual(str(self.topic), "Lunch")
        self.assertEqual(str(self.post), "anna: Soup today?")

    def test_absolute_urls(self):
        self.assertEqual(self.url, "/topics/lunch/")
        self.assertEqual(self.post.get_absolute_url(), f"/topics/lunch/#post-{self.post.pk}")

    def test_topics_are_ordered_by_title(self):
        first = Topic.objects.create(title="Bicycles", slug="bicycles")
        self.assertQuerySetEqual(Topic.objects.all(), [first, self.topic])

    def test_newest_post_is_last(self):
        newest = Post.objects.create(topic=self.topic, author=self.anna, text="Or noodles?")
        self.assertQuerySetEqual(self.topic.posts.all(), [self.post, newest])

    def test_no_migration_is_missing(self):
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)


class HomeTests(NoticeboardTestCase):
    def test_topics_with_their_number_of_posts(self):
        Topic.objects.create(title="Bicycles", slug="bicycles")
        response = self.client.get("/")
        self.assertContains(response, '<a href="/topics/lunch/">Lunch</a>', html=True)
        self.assertContains(response, "1 post<")
        self.assertContains(response, "0 posts<")

    def test_without_topics(self):
        Topic.objects.all().delete()
        self.assertContains(self.client.get("/"), "No topics yet.")


class TopicTests(NoticeboardTestCase):
    def test_anonymous_reads_and_may_log_in(self):
        response = self.client.get(self.url)
        self.assertContains(response, "Soup today?")
        self.assertContains(response, f'href="{self.login_url}"')
        self.assertNotContains(response, "<textarea")

    def test_logged_in_gets_the_form(self):
        self.client.force_login(self.anna)
        response = self.client.get(self.url)
        self.assertContains(response, "<textarea")
        self.assertNotContains(response, f'href="{self.login_url}"')

    def test_post_is_added(self):
        self.client.force_login(self.anna)
        response = self.client.post(self.url, {"text": "Noodles!"})
        post = Post.objects.get(text="Noodles!")
        self.assertRedirects(response, post.get_absolute_url())
        self.assertEqual((post.topic, post.author), (self.topic, self.anna))

    def test_empty_text_is_refused(self):
        self.client.force_login(self.anna)
        for text in ["", "  \n "]:
            with self.subTest(text=text):
                response = self.client.post(self.url, {"text": text})
                self.assertFormError(response.context["form"], "text", "This field is required.")
        self.assertEqual(Post.objects.count(), 1)

    def test_anonymous_is_sent_to_log_in(self):
        response = self.client.post(self.url, {"text": "Noodles!"})
        self.assertRedirects(response, self.login_url)
        self.assertEqual(Post.objects.count(), 1)

    def test_markup_in_a_post_is_escaped(self):
        Post.objects.create(topic=self.topic, author=self.anna, text="<script>alert(1)</script>")
        response = self.client.get(self.url)
        self.assertContains(response, "&lt;script&gt;alert(1)")
        self.assertNotContains(response, "<script>alert(1)")

    def test_unknown_topic_is_404(self):
        self.assertEqual(self.client.get("/topics/unknown/").status_code, 404)


class AccountTests(NoticeboardTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.anna.set_password("correct-horse")  # takes a while, on purpose: here only
        cls.anna.save()

    def test_log_in_leads_back_to_the_topic(self):
        credentials = {"username": "anna", "password": "correct-horse"}
        response = self.client.post(self.login_url, credentials, follow=True)
        self.assertRedirects(response, self.url)
        self.assertContains(response, "Logged in as <strong>anna</strong>")

    def test_wrong_password_is_refused(self):
        response = self.client.post(self.login_url, {"username": "anna", "password": "wrong"})
        self.assertContains(response, "Please enter a correct username and password.")
        self.assertNotIn("_auth_user_id", self.client.session)

    def test_log_out(self):
        self.client.force_login(self.anna)
        self.assertRedirects(self.client.post(reverse("logout")), reverse("home"))
        self.assertNotIn("_auth_user_id", self.client.session)

    def test_log_out_needs_post(self):
        self.assertEqual(self.client.get(reverse("logout")).status_code, 405)


class AdminTests(NoticeboardTestCase):
    def test_pages_load(self):
        self.client.force_login(User.objects.create_superuser("root"))
        for model, pk in [("topic", self.topic.pk), ("post", self.post.pk)]:
            for name, args in [("changelist", []), ("add", []), ("change", [pk])]:
                with self.subTest(model=model, page=name):
                    response = self.client.get(reverse(f"admin:myapp_{model}_{name}", args=args))
                    self.assertEqual(response.status_code, 200)


class FixtureTests(TestCase):
    fixtures = ["noticeboard"]

    def test_home_page_is_not_empty(self):
        response = self.client.get("/")
        self.assertContains(response, "Lost and found")
        self.assertContains(response, "Lunch")

    def test_users_cannot_log_in_before_they_get_a_password(self):
        for user in User.objects.all():
            with self.subTest(user=user.username):
                self.assertFalse(user.has_usable_password())

    def test_loading_again_changes_nothing(self):
        call_command("loaddata", "noticeboard", verbosity=0)
        self.assertEqual((User.objects.count(), Topic.objects.count()), (2, 2))
        self.assertEqual(Post.objects.count(), 5)
