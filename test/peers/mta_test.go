package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"goqmail/receive/receivetest"
)

// mta is another mail system. It keeps the mail of far.example in one mailbox, and
// sends all other mail to an address it was given.
type mta struct {
	*running
	ip          string // it listens at port 2525
	box         string
	certificate string // of its address, and its key
}

// mailbox are the lines that put an mta's account into the password file, and
// those of its groups.
const (
	postfixAccount = "postfix:x:59931:59931::/:/bin/false\n"
	postfixGroups  = "postfix:x:59931:\npostdrop:x:59932:\n"
	eximAccount    = "Debian-exim:x:59933:59933::/:/bin/false\n"
	eximGroups     = "Debian-exim:x:59933:\n"
)

// postfix starts Postfix with those settings beside the necessary ones.
func (h *host) postfix(next, settings string) mta {
	h.t.Helper()
	root := unpacked(h.t, "postfix", "usr/lib/postfix/sbin/master")
	m := mta{ip: freeAddress(h.t), box: h.folder("postfix/box"), certificate: filepath.Join(h.dir, "postfix/etc/tls.pem")}
	values := strings.NewReplacer("ROOT", strings.TrimSuffix(root, "/"), "DIR", filepath.Dir(m.box), "IP", m.ip, "NEXT", relayHost(next), "UID", fmt.Sprint(h.home.UID), "CERTIFICATE", m.certificate)
	h.must(os.Mkdir(filepath.Join(h.dir, "postfix/etc"), 0o755))
	for name, text := range map[string]string{"main.cf": postfixMain + settings, "master.cf": postfixMaster} {
		h.must(os.WriteFile(filepath.Join(h.dir, "postfix/etc", name), []byte(values.Replace(text)), 0o644))
	}
	h.must(os.WriteFile(m.certificate, []byte(receivetest.Certificate(h.t, m.ip)), 0o644))
	m.running = h.start(h.apart(postfixAccount, postfixGroups, values.Replace(`
mkdir DIR/spool DIR/lib
cd DIR/spool
mkdir active bounce corrupt defer deferred flush hold incoming private saved trace maildrop public pid
chmod 700 *
chmod 755 pid
chmod 710 public
chown 59931 ../lib *
chgrp 59932 maildrop public
export LD_LIBRARY_PATH=ROOT/usr/lib/postfix
exec ROOT/usr/lib/postfix/sbin/master -c DIR/etc -d
`)))
	m.wait("daemon started", 1)
	return m
}

// relayHost is an address as Postfix writes a host without MX.
func relayHost(address string) string {
	name, port, _ := strings.Cut(address, ":")
	return "[" + name + "]:" + port
}

const postfixMain = `compatibility_level = 3.6
daemon_directory = ROOT/usr/lib/postfix/sbin
command_directory = ROOT/usr/sbin
sendmail_path = ROOT/usr/sbin/sendmail
newaliases_path = ROOT/usr/sbin/sendmail
mailq_path = ROOT/usr/sbin/sendmail
shlib_directory = no
meta_directory = DIR/etc
queue_directory = DIR/spool
data_directory = DIR/lib
mail_owner = postfix
setgid_group = postdrop
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
maillog_file = /dev/stdout
myhostname = mx.far.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
qmqpd_authorized_clients = 127.0.0.0/8
relayhost = NEXT
alias_maps =
alias_database =
virtual_mailbox_domains = far.example
virtual_mailbox_maps = static:box/
virtual_mailbox_base = DIR
virtual_uid_maps = static:UID
virtual_gid_maps = static:UID
virtual_minimum_uid = 1
smtpd_tls_chain_files = DIR/etc/tls.pem
`

const postfixMaster = `
IP:2525  inet  n - n - - smtpd
IP:628   inet  n - n - - qmqpd
pickup   unix  n - n 60 1 pickup
cleanup  unix  n - n - 0 cleanup
qmgr     unix  n - n 300 1 qmgr
tlsmgr   unix  - - n 1000? 1 tlsmgr
rewrite  unix  - - n - - trivial-rewrite
bounce   unix  - - n - 0 bounce
defer    unix  - - n - 0 bounce
trace    unix  - - n - 0 bounce
verify   unix  - - n - 1 verify
flush    unix  n - n 1000? 0 flush
proxymap unix  - - n - - proxymap
smtp     unix  - - n - - smtp
relay    unix  - - n - - smtp
error    unix  - - n - - error
retry    unix  - - n - - error
virtual  unix  - n n - - virtual
anvil    unix  - - n - 1 anvil
scache   unix  - - n - 1 scache
postlog  unix-dgram n - n - 1 postlogd
`

// exim starts Exim with those main settings, settings of the transport that sends,
// and authenticators beside the necessary ones.
func (h *host) exim(next, settings, transport, authenticators string) mta {
	h.t.Helper()
	program := filepath.Join(unpacked(h.t, "exim4-daemon-light", "usr/sbin/exim4"), "usr/sbin/exim4")
	m := mta{ip: freeAddress(h.t), box: h.folder("exim/box"), certificate: filepath.Join(h.dir, "exim/tls.pem")}
	name, port, _ := strings.Cut(next, ":")
	values := strings.NewReplacer("PROGRAM", program, "DIR", filepath.Dir(m.box), "IP", m.ip, "NEXT", name+"::"+port,
		"SETTINGS", settings, "TRANSPORT", transport, "AUTHENTICATORS", authenticators)
	h.must(os.WriteFile(filepath.Join(h.dir, "exim/conf"), []byte(values.Replace(eximConfig)), 0o644))
	h.must(os.WriteFile(m.certificate, []byte(receivetest.Certificate(h.t, m.ip)), 0o644))
	m.running = h.start(h.apart(eximAccount, eximGroups, values.Replace(`
mkdir DIR/spool DIR/log
chown Debian-exim: DIR/spool DIR/log DIR/box
: >DIR/log/main
chown Debian-exim: DIR/log/main
tail -f DIR/log/main &
exec PROGRAM -C DIR/conf -bdf
`)))
	m.wait("listening for SMTP", 1)
	return m
}

const eximConfig = `
exim_path = PROGRAM
primary_hostname = mx.far.example
spool_directory = DIR/spool
log_file_path = DIR/log/%s
log_selector = +received_sender +received_recipients +tls_cipher +pipelining +pid
local_interfaces = <; [IP]:2525 ; [IP]:465
daemon_smtp_ports = 2525 : 465
tls_on_connect_ports = 465
deliver_drop_privilege
keep_environment =
chunking_advertise_hosts = *
tls_certificate = DIR/tls.pem
acl_smtp_rcpt = accept
host_lookup =
SETTINGS
begin acl
users:
  accept authenticated = *
begin routers
here:
  driver = accept
  domains = far.example
  transport = box
elsewhere:
  driver = manualroute
  route_list = * NEXT byname
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  directory = DIR/box
  maildir_format
  return_path_add
  user = Debian-exim
out:
  driver = smtp
  allow_localhost
  port = 25
TRANSPORT
begin retry
* * F,1h,5m
begin authenticators
AUTHENTICATORS
`
