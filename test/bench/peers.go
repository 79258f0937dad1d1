package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// folders makes folders for an account.
func folders(uid, gid int, mode os.FileMode, names ...string) error {
	for _, name := range names {
		if err := errors.Join(os.MkdirAll(name, 0o755), os.Chown(name, uid, gid), os.Chmod(name, mode)); err != nil {
			return err
		}
	}
	return nil
}

// start starts a daemon of a peer, and waits until it greets.
func (h *host) start(program string, args ...string) error {
	if err := h.command(program, args...).Start(); err != nil {
		return err
	}
	return h.ready()
}

// startPostfix: maildirs by local(8), as there are users; no limit that would hold
// up mail from or to one host.
func startPostfix(h *host) error {
	const uid, postdrop = 8611, 8612
	for _, dir := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"} {
		if err := folders(uid, 0, 0o700, filepath.Join("/var/spool/postfix", dir)); err != nil {
			return err
		}
	}
	err := errors.Join(
		folders(0, 0, 0o755, "/var/spool/postfix", "/var/spool/postfix/pid", "/etc/postfix"),
		folders(uid, postdrop, 0o730|os.ModeSticky, "/var/spool/postfix/maildrop"),
		folders(uid, postdrop, 0o710|os.ModeSetgid, "/var/spool/postfix/public"),
		folders(uid, 0, 0o755, "/var/lib/postfix"),
		os.Chown("/usr/sbin/postdrop", 0, postdrop), os.Chmod("/usr/sbin/postdrop", 0o555|os.ModeSetgid),
		write("/etc/postfix/main.cf", postfixMain), write("/etc/postfix/master.cf", postfixMaster),
		write("/etc/postfix/transport", `/[.]dead[.]test$/ smtp:[127.0.0.1]:`+deadPort+"\n"),
	)
	if err != nil {
		return err
	}
	return h.start("/usr/lib/postfix/sbin/master", "-d")
}

const postfixMain = `compatibility_level = 3.6
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/postfix
myhostname = mx.here.test
myorigin = here.test
mydestination = here.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtp_dns_support_level = disabled
smtp_host_lookup = native
relayhost = [127.0.0.1]:` + sinkPort + `
transport_maps = regexp:/etc/postfix/transport
alias_maps =
alias_database =
local_recipient_maps = unix:passwd.byname
home_mailbox = Maildir/
biff = no
local_destination_concurrency_limit = 20
default_destination_concurrency_limit = 100
initial_destination_concurrency = 20
default_destination_recipient_limit = 100
default_process_limit = 200
smtpd_recipient_limit = 100000
smtpd_recipient_overshoot_limit = 100000
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
`

const postfixMaster = `
2525     inet  n - n - - smtpd
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
local    unix  - n n - - local
anvil    unix  - - n - 1 anvil
scache   unix  - - n - 1 scache
postlog  unix-dgram n - n - 1 postlogd
`

// startExim: a process for each connection and each delivery, started at once; many
// messages over one connection; a spool that is split.
func startExim(h *host) error {
	err := errors.Join(
		folders(8613, 8613, 0o750, "/var/spool/exim4", "/var/log/exim4"),
		folders(0, 0, 0o755, "/etc/exim4"),
		write("/etc/exim4/exim4.conf", eximConfig),
		os.Chmod("/usr/sbin/exim4", 0o755|os.ModeSetuid),
	)
	if err != nil {
		return err
	}
	return h.start("/usr/sbin/exim4", "-bdf", "-q10m")
}

const eximConfig = `
primary_hostname = mx.here.test
qualify_domain = here.test
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
split_spool_directory
local_interfaces = <; [127.0.0.1]:2525
daemon_smtp_ports = 2525
acl_smtp_rcpt = accept
host_lookup =
rfc1413_hosts =
tls_advertise_hosts =
keep_environment =
smtp_accept_max = 500
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
smtp_accept_max_per_host = 0
recipients_max = 0
remote_max_parallel = 20
queue_run_max = 20
disable_ipv6
begin routers
here:
  driver = accept
  domains = here.test
  check_local_user
  transport = box
dead:
  driver = manualroute
  domains = *.dead.test
  route_list = * 127.0.0.1::` + deadPort + ` byname
  self = send
  transport = out
elsewhere:
  driver = manualroute
  route_list = * 127.0.0.1::` + sinkPort + ` byname
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  directory = $home/Maildir
  maildir_format
  return_path_add
  delivery_date_add
  envelope_to_add
out:
  driver = smtp
  allow_localhost
  max_rcpt = 100
begin retry
* * F,1h,5m
`

// startOpensmtpd: limits of a session raised.
func startOpensmtpd(h *host) error {
	const daemon, queue = 8614, 8615
	err := errors.Join(
		folders(0, 0, 0o711, "/var/spool/smtpd"), folders(0, 0, 0o755, "/var/lib/opensmtpd/empty"),
		folders(queue, 0, 0o700, "/var/spool/smtpd/corrupt", "/var/spool/smtpd/incoming", "/var/spool/smtpd/purge", "/var/spool/smtpd/queue"),
		folders(0, queue, 0o770, "/var/spool/smtpd/offline"),
		os.Chown("/usr/sbin/smtpctl", 0, queue), os.Chmod("/usr/sbin/smtpctl", 0o755|os.ModeSetgid),
		os.Remove("/usr/sbin/sendmail"), os.Symlink("smtpctl", "/usr/sbin/sendmail"),
		write("/etc/mailname", "mx.here.test\n"), write("/etc/smtpd.conf", opensmtpdConfig),
	)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return err
	}
	return h.start("/usr/sbin/smtpd", "-d")
}

const opensmtpdConfig = `
smtp limit max-mails 1000000
smtp limit max-rcpt 1000000
listen on 127.0.0.1 port 2525
listen on socket
action "box" maildir "%{user.directory}/Maildir"
action "dead" relay host smtp://127.0.0.1:` + deadPort + `
action "out" relay host smtp://127.0.0.1:` + sinkPort + `
match from any for domain "here.test" action "box"
match from any for domain regex "[.]dead[.]test$" action "dead"
match from any for any action "out"
`
