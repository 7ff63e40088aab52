from django import forms

from .models import Post


class PostForm(forms.ModelForm):
    text = forms.CharField(
        label="Your post", max_length=5_000, widget=forms.Textarea(attrs={"rows": 4})
    )

    class Meta:
        model = Post
        fields = ["text"]
