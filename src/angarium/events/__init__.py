"""What has happened: kept, searched, and told in order. All of it comes from the journals and can be made anew."""
