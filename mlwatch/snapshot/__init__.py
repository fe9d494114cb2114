"""What a face shows at one instant: frozen types, the function that fills them, and their JSON form."""
