"""A local web app for a policy: a page, a JSON endpoint, and one that OpenAI clients understand."""
