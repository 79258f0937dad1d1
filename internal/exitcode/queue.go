package exitcode

// Exit codes of qmail-queue, qmail-queue(8): 11 to 40 are permanent failures,
// the others temporary ones. With 82 the reason was written to descriptor 6.
const (
	QueueAddressTooLong = 11
	QueueRejected       = 31
	QueueNoMemory       = 51
	QueueTimeout        = 52
	QueueWrite          = 53
	QueueRead           = 54
	QueueConfiguration  = 55
	QueueNetwork        = 56
	QueueHome           = 61
	QueueFolder         = 62
	QueuePid            = 63
	QueueMess           = 64
	QueueIntd           = 65
	QueueTodo           = 66
	QueueTempRejected   = 71
	QueueNetTimeout     = 72
	QueueNetRejected    = 73
	QueueNetFailed      = 74
	QueueBug            = 81
	QueueCustom         = 82
	QueueEnvelope       = 91
	QueueCannotExec     = 120
)

// queueTexts are what the callers of qmail-queue tell their users, a D (for
// good) or a Z (for now) and the reason. Other programs match on them.
var queueTexts = map[int]string{
	QueueAddressTooLong: "Denvelope address too long for qq (#5.1.3)",
	115:                 "Denvelope address too long for qq (#5.1.3)", // Compat: from before 11
	QueueRejected:       "Dmail server permanently rejected message (#5.3.0)",
	QueueNoMemory:       "Zqq out of memory (#4.3.0)",
	QueueTimeout:        "Zqq timeout (#4.3.0)",
	QueueWrite:          "Zqq write error or disk full (#4.3.0)",
	QueueRead:           "Zqq read error (#4.3.0)",
	QueueConfiguration:  "Zqq unable to read configuration (#4.3.0)",
	QueueNetwork:        "Zqq trouble making network connection (#4.3.0)",
	QueueHome:           "Zqq trouble in home directory (#4.3.0)",
	QueueFolder:         "Zqq trouble creating files in queue (#4.3.0)",
	QueuePid:            "Zqq trouble creating files in queue (#4.3.0)",
	QueueMess:           "Zqq trouble creating files in queue (#4.3.0)",
	QueueIntd:           "Zqq trouble creating files in queue (#4.3.0)",
	QueueTodo:           "Zqq trouble creating files in queue (#4.3.0)",
	QueueTempRejected:   "Zmail server temporarily rejected message (#4.3.0)",
	QueueNetTimeout:     "Zconnection to mail server timed out (#4.4.1)",
	QueueNetRejected:    "Zconnection to mail server rejected (#4.4.1)",
	QueueNetFailed:      "Zcommunication with mail server failed (#4.4.2)",
	QueueBug:            "Zqq internal bug (#4.3.0)",
	QueueEnvelope:       "Zqq internal bug (#4.3.0)",
	QueueCannotExec:     "Zunable to exec qq (#4.3.0)",
}

// Queue reads an exit code of qmail-queue other than 0, as qmail-queue(8)
// describes it: whether the failure is permanent, and the reason. Custom is what
// the program wrote on descriptor 6, D or Z and a text; it counts with exit
// code 82 alone (and 88, which qmail-spp and simscan use for the same).
func Queue(code int, custom string) (v Verdict, text string) {
	if (code == QueueCustom || code == 88) && len(custom) > 2 {
		return queueText(custom)
	}
	if t, ok := queueTexts[code]; ok {
		return queueText(t)
	}
	if code >= 11 && code <= 40 {
		return Permanent, "qq permanent problem (#5.3.0)"
	}
	return Temporary, "qq temporary problem (#4.3.0)"
}

// QueueCrashed is the reason given when qmail-queue dies by a signal.
const QueueCrashed = "qq crashed (#4.3.0)"

func queueText(t string) (Verdict, string) {
	if t[0] == 'D' {
		return Permanent, t[1:]
	}
	return Temporary, t[1:]
}
