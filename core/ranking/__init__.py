"""The rank task: what ranks candidate lists, trained on lists made at past moments."""
