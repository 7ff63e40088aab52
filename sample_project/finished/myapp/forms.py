from django import forms

from .models import Post


class PostForm(forms.ModelForm):
    class Meta:
        model = Post
        fields = ["text"]
        labels = {"text": "Your post"}
        widgets = {"text": forms.Textarea(attrs={"rows": 4})}
