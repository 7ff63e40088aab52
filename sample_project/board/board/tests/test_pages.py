import csv
import io

from django.core.cache import cache
from django.test import TestCase

from board import register
from board.protocol import Join, Report


class PageTests(TestCase):
    def setUp(self):
        cache.clear()

    def log_in(self, word):
        return self.client.post("/", {"word": word})

    def test_each_word_opens_its_page(self):
        self.assertRedirects(self.log_in("word"), "/board/")
        self.assertRedirects(self.log_in(" Helper-Word "), "/helpers/")
        self.assertContains(self.log_in("other"), "That is not the word.", status_code=403)

    def test_pages_are_shut_without_a_word(self):
        for path in ("/board/", "/helpers/", "/class.csv"):
            self.assertRedirects(self.client.get(path), "/")
        self.assertEqual(self.client.get("/learner/").status_code, 200)

    def test_a_helper_sees_their_page_only(self):
        self.log_in("helper-word")
        self.assertRedirects(self.client.get("/board/"), "/")
        self.assertRedirects(self.client.get("/class.csv"), "/")

    def test_it_names_the_address_of_the_room(self):
        self.log_in("word")
        with self.settings(BOARD_ADDRESS="http://10.0.0.7:8400"):
            page = self.client.get("/board/")
        self.assertContains(page, 'join_class("http://10.0.0.7:8400", "code"')
        with self.settings(BOARD_ADDRESS=""):  # nobody has said it
            self.assertContains(
                self.client.get("/board/"), 'join_class("http://testserver", "code"'
            )

    def test_log_out(self):
        self.log_in("word")
        self.client.post("/out/")
        self.assertRedirects(self.client.get("/board/"), "/")
        self.assertEqual(self.client.get("/out/").status_code, 405)

    def test_words_are_not_to_be_guessed(self):
        for _ in range(20):
            self.log_in("guess")
        self.assertContains(self.log_in("word"), "tried too often", status_code=403)

    def test_no_script_but_our_files(self):
        self.log_in("word")
        for path in ("/board/", "/helpers/", "/learner/"):
            response = self.client.get(path)
            self.assertIn("default-src 'self'", response.headers["Content-Security-Policy"])
            self.assertNotContains(response, "<script>")

    def test_the_export_is_harmless_and_in_order(self):
        for number, name in enumerate(("=1+1", "anna")):
            learner = register.join(Join("code", f"key-{number}" * 5, name))
            for exercise in ("12.1", "5.1"):
                message = '-1, "two"\nthree'
                report = Report(1, exercise, "not yet", 2, 1, 600, message)
                register.report(learner.pk, report)
        self.log_in("word")
        text = self.client.get("/class.csv").content.decode("utf-8-sig")
        head, *rows = csv.reader(io.StringIO(text))
        self.assertEqual(head[:4], ["learner", "exercise", "state", "tries"])
        self.assertEqual(
            [row[:2] for row in rows],
            [
                ["'=1+1", "5.1"],
                ["'=1+1", "12.1"],
                ["anna", "5.1"],
                ["anna", "12.1"],
            ],
        )
        self.assertEqual(rows[0][2:], ["not yet", "2", "1", "10", '\'-1, "two"\nthree'])
