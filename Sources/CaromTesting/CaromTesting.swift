// CaromTesting
