"""The dataset card: facts about a dataset, as Markdown and as a page."""
