"""MONAI Label with these bundles: its environment, its app's folder, the server as a process, and a client."""
