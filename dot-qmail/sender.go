package dotqmail

// NewSender returns the envelope sender under which a message from sender is
// forwarded, NEWSENDER to programs. If the recipient has a file .qmail-EXT-owner,
// bounces go to that address instead of to the author; with .qmail-EXT-owner-default
// beside it each forwarded copy gets a sender of its own (VERP), which qmail-send
// makes of the ending -@[]. A file's contents do not matter. Bounces, whose sender
// is empty or #@[], keep theirs.
//
// The files are sought under the address's own name, also where the instructions
// came from a default file.
func (r Recipient) NewSender(home Folder, sender string) (string, error) {
	if sender == "" || sender == "#@[]" {
		return sender, nil
	}
	name := ".qmail" + r.Dash + r.safeExt() + "-owner"
	owner, err := exists(home, name)
	if err != nil || !owner {
		return sender, err
	}
	verp, err := exists(home, name+"-default")
	if err != nil {
		return "", err
	}
	if verp {
		return r.Local + "-owner-@" + r.Host + "-@[]", nil
	}
	return r.Local + "-owner@" + r.Host, nil
}
