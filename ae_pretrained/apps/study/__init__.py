"""``ae-pretrained study``: does pretraining save labels, with one's own images?"""
