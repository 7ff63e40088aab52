from myapp.members import MemberConsumer
from myapp.models import Post


class DeskConsumer(MemberConsumer):
    """Deletes posts, for members who may do that."""

    async def receive(self, text_data=None, bytes_data=None):
        content = await self.decode_json(text_data)
        if not await self.is_member():
            return
        if await self.scope["user"].ahas_perm("myapp.delete_post"):
            await Post.objects.filter(pk=content["delete"]).adelete()
            await self.send_json({"deleted": content["delete"]})
        else:
            await self.send_json({"error": "you may not delete posts"})
