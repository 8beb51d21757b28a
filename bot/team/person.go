package team

import (
	"context"
	"errors"
	"slices"

	"github.com/aws-root-account/rootbot/ops"
)

// Person is what the chat says of somebody.
type Person struct {
	IDs        []string // all that the chat knows them by; empty: the one that they were asked by
	Workspaces []string // that they are a member of
	Stranger   bool     // of another organisation, met in a shared channel
	Guest      bool
	Bot        bool
	Deleted    bool   // deactivated
	Email      string // that the chat has confirmed; empty: none, or the bot may not read it
}

// Person asks the chat about somebody, and returns nil if they are a full
// member of the bot's workspace now.
func (t *Team) Person(ctx context.Context, workspace, user string) (Person, error) {
	if workspace == "" || workspace != t.Workspace || user == "" {
		return Person{}, refused("You are not of the workspace that this bot serves, so I can't tell whether you belong to the GitHub team "+t.Name()+".",
			"is not of the workspace that this bot serves.", "")
	}
	unknown := func(err error) error {
		if said, ok := errors.AsType[*ops.Error](err); ok && said.Kind == ops.Unavailable {
			return said // the chat's own reason
		}
		return &ops.Error{
			Kind: ops.Unavailable, Err: err, Passing: true,
			What: "Slack didn't say who you are, so I can't tell whether you belong to the GitHub team " + t.Name() + ".",
			Of:   "isn't shown by Slack just now.", Next: "Try again in a minute.",
		}
	}
	if t.People == nil {
		return Person{}, unknown(errors.New("there is nobody to ask"))
	}
	p, err := t.People(ctx, user)
	switch {
	case err != nil:
		return Person{}, unknown(err)
	case p.Stranger, len(p.Workspaces) > 0 && !slices.Contains(p.Workspaces, workspace):
		return Person{}, refused("You are not of the workspace that this bot serves. For members of the GitHub team "+t.Name()+" only.", "is not of the workspace that this bot serves.", "")
	case p.Bot:
		return Person{}, refused("Bots may not use this, only people of the GitHub team "+t.Name()+".", "is a bot.", "")
	case p.Deleted:
		return Person{}, refused("Your Slack account is deactivated; only members of the GitHub team "+t.Name()+" may use this.", "has a deactivated Slack account.", "")
	case p.Guest:
		return Person{}, refused("Guests may not use this, only full members of the workspace who belong to the GitHub team "+t.Name()+".", "is a guest in the workspace.", "")
	case len(p.Workspaces) == 0:
		return Person{}, refused("Slack doesn't say which workspaces you are a member of, so I can't tell whether you belong to the GitHub team "+t.Name()+".",
			"is in no workspace that Slack names.", "Ask in "+t.Channel+" who can help you.")
	}
	if !slices.Contains(p.IDs, user) {
		p.IDs = append([]string{user}, p.IDs...)
	}
	return p, nil
}
