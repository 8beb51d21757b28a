package bot

import (
	"context"
	"errors"

	"github.com/aws-root-account/rootbot/bot/store"
)

// Alarm tells every member of the team whose place in the chat is known something
// by themselves, once for each name that it is given.
func (d *Desk) Alarm(ctx context.Context, name, text string) error {
	people, err := d.Team.Known(ctx)
	if err != nil {
		return err
	}
	users := []string{}
	c := store.Change{}
	for _, user := range people {
		identity, err := d.Team.Identify(ctx, d.Team.Workspace, user)
		if err == nil {
			err = d.Team.Shows(ctx, identity.Login)
		}
		if err != nil {
			d.Log.Info("not told", "name", name, "user", user, "because", err)
			continue
		}
		users = append(users, user)
		c.Messages = append(c.Messages, store.Message{Kind: store.Letter, Body: store.Body{
			Text: text, For: &store.Asker{Front: "slack", Workspace: d.Team.Workspace, User: user},
		}})
	}
	c.Events = []store.Event{{At: d.now(), Kind: "alarm", Data: map[string]any{"name": name, "text": text, "to": users}}}
	if err := d.Store.TellOnce(ctx, "alarm/"+name, c); !errors.Is(err, store.ErrTaken) {
		return err
	}
	return nil
}
