package bot

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// Members are the GitHub logins of the people of the chat who are known to be
// members of the team, by their IDs. GitHub's answers may be 30 seconds old. It is
// an error if nobody is known to be one because the chat or GitHub doesn't answer.
func (d *Desk) Members(ctx context.Context) (map[string]string, error) {
	people, err := d.Team.Known(ctx)
	if err != nil {
		return nil, err
	}
	members := map[string]string{}
	var silent error
	for _, user := range people {
		identity, err := d.Team.Identify(ctx, d.Team.Workspace, user)
		if err == nil {
			err = d.Team.Shows(ctx, identity.Login)
		}
		switch {
		case err == nil:
			members[user] = identity.Login
		case ops.KindOf(err) != ops.Refused:
			silent = err
		}
	}
	if len(members) == 0 {
		return nil, silent
	}
	return members, nil
}

// Alarm tells every member of the team whose place in the chat is known something
// by themselves, once for each name that it is given. The letters are about a
// request, unless that is empty: their delivery is recorded with it.
func (d *Desk) Alarm(ctx context.Context, id, name, text string) error {
	members, err := d.Members(ctx)
	if err != nil {
		return err
	}
	users := slices.Sorted(maps.Keys(members))
	c := request.Change{Events: []request.Event{{At: d.now(), Request: id, Kind: "alarm", Data: map[string]any{"name": name, "text": text, "to": users}}}}
	for _, user := range users {
		c.Messages = append(c.Messages, request.Message{Request: id, Kind: request.Letter, Body: request.Body{
			Text: text, Other: name, For: &request.Asker{Front: request.Chat, Workspace: d.Team.Workspace, User: user},
		}})
	}
	if err := d.Store.TellOnce(ctx, "alarm/"+name, c); !errors.Is(err, store.ErrTaken) {
		return err
	}
	return nil
}
