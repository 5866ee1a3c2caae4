"""What BinderHub and the hub take: the names and the kinds of their traits, and how they write a repository's name."""
