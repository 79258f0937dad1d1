package exitcode

// Exit codes of sendmail, those of sysexits.h. Callers show them by name.
const (
	Usage       = 64 // wrong options, or no recipients
	DataErr     = 65 // an address or a header that cannot be parsed
	NoUser      = 67 // an address that does not exist
	Unavailable = 69 // the queue refuses the message for good, or a part of the system is missing
	Software    = 70 // an error of the program itself
	OSErr       = 71 // the host is out of something
	CantCreate  = 73 // a file cannot be made
	TempFail    = 75 // the message was not taken; it may be later
	NoPerm      = 77 // the caller may not do that
	Config      = 78 // something is not set up that way
)
