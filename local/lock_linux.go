package local

// setLock is F_OFD_SETLK, which package syscall does not have: an fcntl lock that
// belongs to the open file. Those of F_SETLK belong to the process, which would
// not lock out another delivery in it, and would lose its lock when that one
// closes its file. On NFS, where flock is an fcntl lock, the two would exclude
// each other.
const setLock = 37
