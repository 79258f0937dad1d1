package exitcode

// Verdict says what a failure or success means for the message.
type Verdict int

const (
	Temporary Verdict = iota // try again later; also whatever is unknown
	Success
	Permanent
)

// Exit codes of a program in a .qmail file, qmail-command(8).
const (
	CommandOK   = 0
	CommandStop = 99  // success; the rest of the .qmail file is ignored
	CommandHard = 100 // permanent failure
	CommandSoft = 111 // temporary failure
)

// Command reads the exit code of a program in a .qmail file, as
// qmail-command(8) describes it. Stop is set if the remaining instructions of
// the file are to be ignored.
func Command(code int) (v Verdict, stop bool) {
	switch code {
	case CommandOK:
		return Success, false
	case CommandStop:
		return Success, true
	case CommandHard, 64, 65, 70, 76, 77, 78, 112:
		return Permanent, false
	}
	return Temporary, false
}
