"""The two stages of training, on TRL's trainers; nothing else imports TRL."""
