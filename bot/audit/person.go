package audit

import (
	"strings"

	"github.com/aws-root-account/rootbot/bot/request"
)

// person is who an event is by.
type person struct {
	login     string // on GitHub; empty: not known
	front     string // where they were met; empty: the event doesn't say
	workspace string
	user      string // ID in the workspace
}

// by reads who did something out of what the audit calls them: a login,
// "<front>:<workspace>/<user>", or "slack.<user>" for somebody who may ask
// without a login. asker is what the event of an ask says of them.
func by(name string, asker request.Asker) person {
	p := person{front: asker.Front, workspace: asker.Workspace, user: asker.User}
	front, place, met := strings.Cut(name, ":")
	user, placeless := strings.CutPrefix(name, request.UnknownLogin)
	switch {
	case met:
		p.front, p.login = front, asker.Login
		if p.workspace, p.user, _ = strings.Cut(place, "/"); p.user == "" {
			p.workspace, p.user = "", p.workspace
		}
	case placeless:
		p.front, p.user = request.Chat, user
	default:
		p.login = name
	}
	return p
}

// person is who the event is by.
func (e *entry) person() person {
	var asker request.Asker
	decode(e.Data["asker"], &asker)
	return by(e.By, asker)
}

// who is who the event is by, in words.
func (e *entry) who() string {
	if e.By == "" {
		return us
	}
	return e.person().called(e.By)
}

// called is the person in words. name is what the audit calls them.
func (p person) called(name string) string {
	switch {
	case p.login != "":
		return p.login
	case p.front == request.Chat && p.user != "":
		return "Slack user " + p.place()
	case p.front == request.Terminal && p.user == "":
		return "somebody at a terminal"
	}
	return name
}

// place is where the person is known without a login.
func (p person) place() string {
	if p.workspace == "" {
		return p.user
	}
	return p.user + " of workspace " + p.workspace
}
