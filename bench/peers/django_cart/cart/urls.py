from django.urls import path

from cart import views

urlpatterns = [
    path("health", views.health),
    path("reservations", views.reservations),
]
