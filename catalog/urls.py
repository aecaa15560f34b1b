"""Addresses of what the catalog publishes."""

from django.urls import path

from catalog import views

urlpatterns = [path("schema/profile.json", views.profile_schema, name="profile_schema")]
