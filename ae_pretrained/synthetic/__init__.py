"""The embedded data set: cats and dogs that the program draws itself, in the official Oxford-IIIT Pet layout."""
