"""The product's own way to send by HTTP: `POST /manage/v1/messages`, one message or many."""
