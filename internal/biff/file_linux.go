package biff

// Utmp is the name of the file.
const Utmp = "/var/run/utmp"
