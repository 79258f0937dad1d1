package smtp

// Replies of the server, all of them but the greetings and what the queue says.
// They are interface: scripts match on them, and those of qmail-smtpd stay as
// they are.
const (
	replyOK          = "250 ok"
	replyFlushed     = "250 flushed"
	replyVerify      = "252 send some mail, i'll try my best"
	replyHelp        = "214 goqmail: HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT"
	replyGo          = "354 go ahead"
	replyTimeout     = "451 timeout (#4.4.2)"
	replyControls    = "421 unable to read controls (#4.3.0)"
	replyAddresses   = "421 unable to figure out my IP addresses (#4.3.0)"
	replyTooManyErrs = "421 too many errors (#4.7.0)"
	replyOver        = "421 this session has taken too long (#4.4.2)"
	replyQueue       = "451 qqt failure (#4.3.0)"
	replyTooManyTo   = "452 too many recipients (#4.5.3)"
	replyTooLong     = "500 line too long (#5.5.2)"
	replyUnknown     = "502 unimplemented (#5.5.1)"
	replyMailFirst   = "503 MAIL first (#5.5.1)"
	replyRcptFirst   = "503 RCPT first (#5.5.1)"
	replyTooBig      = "552 sorry, that message size exceeds my databytes limit (#5.3.4)"
	replyBadSender   = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"
	replyNoGateway   = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
	replyStray       = "554 sorry, that message has a bare CR or LF; lines end with CR LF (#5.6.0)"
	replyHops        = "554 too many hops, this message is looping (#5.4.6)"
	replySyntax      = "555 syntax error (#5.5.4)"
)
