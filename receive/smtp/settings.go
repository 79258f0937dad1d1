package smtp

import (
	"fmt"
	"time"

	"goqmail/control"
	"goqmail/internal/address"
	"goqmail/receive"
)

// Settings are what a session goes by, from the control files and from the
// environment.
type Settings struct {
	Greeting    string         // smtpgreeting, or me
	Timeout     time.Duration  // timeoutsmtpd: for each read and write
	Databytes   int64          // databytes or $DATABYTES; 0 for no limit
	MaxTo       int            // maxrcpt: recipients of a message
	Enhanced    bool           // enhancedstatuscodes: replies have status codes in front
	OwnHost     string         // localiphost, or me: what stands for own addresses
	HasOwnHost  bool           // there is one of the two
	BadMailFrom control.Map    // badmailfrom: senders, and @host
	Hosts       *receive.Hosts // rcpthosts and morercpthosts.cdb
	Relay       string         // $RELAYCLIENT: added to each recipient
	MayRelay    bool           // it is set: mail for all hosts is taken
	Peer        receive.Peer

	RecipientSettings
}

// ReadSettings reads the files in a folder of control files.
func ReadSettings(folder string, env receive.Env) (*Settings, error) {
	s := &Settings{Peer: receive.PeerOf(env)}
	s.Relay, s.MayRelay = env.Lookup("RELAYCLIENT")
	files, err := control.Open(folder)
	if err != nil {
		return nil, err
	}
	for _, read := range []func(*control.Folder) error{s.readNames, s.readNumbers, s.readLists} {
		if err := read(files); err != nil {
			return nil, err
		}
	}
	if s.Databytes, err = receive.Databytes(files, env); err != nil {
		return nil, err
	}
	if err := s.readRecipients(files, folder, env); err != nil {
		return nil, err
	}
	s.Hosts, err = receive.ReadHosts(folder)
	return s, err
}

// readNames reads what defaults to me, and is an error or missing without it.
func (s *Settings) readNames(files *control.Folder) error {
	var ok bool
	var err error
	if s.Greeting, ok, err = orMe(files, "smtpgreeting"); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("there is neither smtpgreeting nor me")
	}
	s.OwnHost, s.HasOwnHost, err = orMe(files, "localiphost")
	return err
}

func orMe(files *control.Folder, name string) (string, bool, error) {
	line, ok, err := files.Given(name)
	if ok || err != nil {
		return line, ok, err
	}
	me, ok := files.Me()
	return me, ok, nil
}

func (s *Settings) readNumbers(files *control.Folder) error {
	seconds, err := files.Number("timeoutsmtpd")
	if err != nil {
		return err
	}
	s.Timeout = time.Duration(max(seconds, 1)) * time.Second
	enhanced, err := files.Number("enhancedstatuscodes")
	if err != nil {
		return err
	}
	s.Enhanced = enhanced != 0
	s.MaxTo, err = files.Number("maxrcpt")
	return err
}

func (s *Settings) readLists(files *control.Folder) error {
	lines, _, err := files.List("badmailfrom")
	s.BadMailFrom = control.Set(lines)
	return err
}

// isBad reports whether badmailfrom has a sender or its host.
func (s *Settings) isBad(sender string) bool {
	if s.BadMailFrom.Has(sender) {
		return true
	}
	_, host, ok := address.Split(sender)
	return ok && s.BadMailFrom.Has("@"+host)
}
