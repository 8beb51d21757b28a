package slacktest

import (
	"slices"
	"strings"
)

// User is a person, a guest or a bot.
// See https://docs.slack.dev/reference/objects/user-object/.
type User struct {
	ID              string // "" gets one
	Name            string // the handle; "" is made from RealName
	RealName        string // "" is Name
	Email           string
	TeamID          string   // "" is the workspace's
	Teams           []string // on a Grid, the workspaces of the person; nil is the workspace, and for most people another one
	Restricted      bool     // a guest
	UltraRestricted bool     // a guest in a single channel; implies Restricted
	Stranger        bool     // of another workspace, met in a shared channel
	Bot             bool
	Deleted         bool // deactivated
}

// AddUser adds u, or changes the user who has its ID, and returns it with what
// was left out filled in.
func (w *Workspace) AddUser(u User) User {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u.ID == "" {
		u.ID = w.id("U")
	}
	if u.Name == "" {
		u.Name = strings.ToLower(strings.ReplaceAll(u.RealName, " ", "."))
	}
	if u.Name == "" {
		u.Name = strings.ToLower(u.ID)
	}
	if u.RealName == "" {
		u.RealName = u.Name
	}
	if u.TeamID == "" {
		u.TeamID = w.TeamID
	}
	u.Restricted = u.Restricted || u.UltraRestricted
	if old := w.user(u.ID); old != nil {
		*old = u
	} else {
		w.users = append(w.users, &u)
	}
	w.changedLocked()
	return u
}

// Users lists everybody in the order they came, the bot first.
func (w *Workspace) Users() []User {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []User
	for _, u := range w.users {
		all = append(all, *u)
	}
	return all
}

func (w *Workspace) user(id string) *User {
	i := slices.IndexFunc(w.users, func(u *User) bool { return u.ID == id })
	if i < 0 {
		return nil
	}
	return w.users[i]
}

// actor is the user of that ID, who has to be able to do something here.
func (w *Workspace) actor(id string) (*User, error) {
	u := w.user(id)
	switch {
	case u == nil:
		return nil, refused("there is no user %s", id)
	case u.Deleted:
		return nil, refused("%s is deactivated", u.Name)
	}
	return u, nil
}

func (w *Workspace) authTest(*call) (any, error) {
	o := object{
		"url": teamURL, "team": "Example", "user": w.user(w.BotUserID).Name, "team_id": w.TeamID,
		"user_id": w.BotUserID, "bot_id": w.BotID, "is_enterprise_install": w.opts.OrgWide > 0,
	}
	if w.opts.onGrid() {
		o["enterprise_id"] = GridID
	}
	if w.opts.OrgWide > 0 {
		o["team"], o["team_id"] = gridName, GridID
	}
	return o, nil
}

func (w *Workspace) usersInfo(c *call) (any, error) {
	u := w.user(c.arg("user"))
	if u == nil {
		return nil, apiError("user_not_found")
	}
	return object{"user": w.userObject(u)}, nil
}

func (w *Workspace) usersLookupByEmail(c *call) (any, error) {
	email := c.arg("email")
	if email == "" {
		return nil, apiError("invalid_arguments")
	}
	for _, u := range w.users {
		if strings.EqualFold(u.Email, email) && !u.Deleted {
			return object{"user": w.userObject(u)}, nil
		}
	}
	return nil, apiError("users_not_found")
}

func (w *Workspace) userObject(u *User) object {
	profile := object{
		"real_name": u.RealName, "real_name_normalized": u.RealName,
		"display_name": u.Name, "display_name_normalized": u.Name, "team": u.TeamID,
	}
	if u.Email != "" && w.hasScope("users:read.email") {
		profile["email"] = u.Email
	}
	o := object{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted,
		"is_bot": u.Bot, "is_app_user": false, "updated": 1700000000, "profile": profile, "tz": "Europe/London",
		"is_email_confirmed": u.Email != "", "who_can_share_contact_card": "EVERYONE",
	}
	if u.Bot {
		profile["bot_id"] = "B" + strings.TrimPrefix(u.ID, "U")
		profile["api_app_id"] = w.AppID
	}
	if !u.Deleted {
		o["is_admin"], o["is_owner"], o["is_primary_owner"] = false, false, false
		o["is_restricted"], o["is_ultra_restricted"] = u.Restricted, u.UltraRestricted
	}
	if u.Stranger {
		o["is_stranger"] = true
	}
	w.gridUser(u, o)
	return o
}
