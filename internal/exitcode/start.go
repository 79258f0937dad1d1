package exitcode

// Exit codes of a child of qmail-lspawn that never got as far as qmail-local,
// and of qmail-getpw, which says in the same codes why it knows no user.
const (
	StartUsage     = 112
	StartRoot      = 113
	StartNFS       = 115
	StartNoAlias   = 116
	StartTable     = 117
	StartSystem    = 118
	StartNoMemory  = 119
	StartExecSoft  = 120
	StartExecGetpw = 121
	StartExecHard  = 126
)

// Start returns what qmail-lspawn reports for one of these codes, always as a
// temporary failure; ok is false for other codes.
//
// Compat: to qmail StartExecHard is permanent. A program that is missing today
// may be back tomorrow, so here no failure to start one bounces mail.
func Start(code int) (text string, ok bool) {
	switch code {
	case StartUsage:
		return "Internal qmail-lspawn bug.", true
	case StartRoot:
		return "Not allowed to perform deliveries as root.", true
	case StartNFS:
		return "NFS failure in qmail-local.", true
	case StartNoAlias:
		return "Unable to find alias user!", true
	case StartTable:
		return "Trouble reading users/cdb in qmail-lspawn.", true
	case StartSystem:
		return "Temporary failure in qmail-lspawn.", true
	case StartNoMemory:
		return "Out of memory in qmail-lspawn.", true
	case StartExecSoft, StartExecHard:
		return "Unable to run qmail-local.", true
	case StartExecGetpw:
		return "Unable to run qmail-getpw.", true
	}
	return "", false
}
