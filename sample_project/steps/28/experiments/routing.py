from django.urls import path

from . import (
    async_consumers,
    async_echo,
    bearer,
    class_room,
    crowd,
    desk,
    door,
    echo,
    http_consumers,
    pictures,
    places,
    profiles,
    raw,
    sync_consumers,
    uploads,
    visits,
    wall,
)

websocket_urlpatterns = [
    path("ws/echo/", echo.ChatConsumer.as_asgi()),
    path("ws/door/", door.DoorConsumer.as_asgi()),
    path("ws/json/", sync_consumers.JsonConsumer.as_asgi()),
    path("ws/slow/", sync_consumers.SlowConsumer.as_asgi()),
    path("ws/async-echo/", async_echo.ChatConsumer.as_asgi()),
    path("ws/board/", async_consumers.BoardConsumer.as_asgi()),
    path("ws/blocking/", async_consumers.BlockingConsumer.as_asgi()),
    path("ws/patient/", async_consumers.PatientConsumer.as_asgi()),
    path("ws/ticker/", async_consumers.TickerConsumer.as_asgi()),
    path("ws/desk/", desk.DeskConsumer.as_asgi()),
    path("ws/places/", places.PlacesConsumer.as_asgi()),
    path("ws/tokens/", bearer.tokens),
    path("ws/uploads/", uploads.UploadConsumer.as_asgi()),
    path("ws/visits/", visits.VisitsConsumer.as_asgi()),
    path("ws/wall/", wall.WallConsumer.as_asgi()),
    path("ws/raw/", raw.RawConsumer.as_asgi()),
    path("ws/endless/", raw.EndlessConsumer.as_asgi()),
    path("ws/pictures/", pictures.PictureConsumer.as_asgi()),
    path("ws/profile/", profiles.ProfileConsumer.as_asgi()),
    path("ws/class/", class_room.ClassConsumer.as_asgi()),
    *(path(f"ws/crowd/{name}/", kind.as_asgi()) for name, kind in crowd.CONSUMERS.items()),
]

http_urlpatterns = [
    path("countdown/", http_consumers.CountdownConsumer.as_asgi()),
    path("news/", http_consumers.NewsConsumer.as_asgi()),
]
