print("imrec")
