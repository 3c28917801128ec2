"""What the face of the imputer is made of."""
