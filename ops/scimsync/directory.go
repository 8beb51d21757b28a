package scimsync

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/google/go-github/v62/github"
	"golang.org/x/sync/errgroup"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// inFlight is how many reads may be under way at once: at the default 15 calls
// a second it lets answers take a second without slowing the whole down.
const inFlight = 16

// Teams are GitHub's teams: logins by slug, both in lower case.
type Teams map[string][]string

// Directory is what Identity Center holds, as the function sees it: the groups it
// leaves alone stand apart. It is stored with a plan, because an ID can't be
// resolved any more once its owner is deleted.
type Directory struct {
	Users       map[string]User       `json:"users"`            // by UserId
	Groups      map[string]string     `json:"groups"`           // name in lower case, by GroupId
	Titles      map[string]string     `json:"titles,omitempty"` // name as Identity Center has it, by GroupId, where it isn't in lower case
	Memberships map[string]Membership `json:"memberships"`      // by MembershipId
	Left        *Left                 `json:"left,omitempty"`   // nil: it wasn't read
}

// Left is what the function leaves alone: the groups that match the settings'
// ignore_groups. No plan has them, and yet nothing may be taken from them: the function
// goes by its own settings, which may not be these.
type Left struct {
	Groups      map[string]string     `json:"groups"`           // as in Directory
	Titles      map[string]string     `json:"titles,omitempty"` // as in Directory
	Memberships map[string]Membership `json:"memberships"`      // as in Directory
}

// whole is d with the groups that the function leaves alone among the others.
func (d Directory) whole() Directory {
	if d.Left == nil {
		return d
	}
	return d.with(Directory{Groups: d.Left.Groups, Titles: d.Left.Titles, Memberships: d.Left.Memberships})
}

// left tells whether a group is one that the function leaves alone.
func (d Directory) left(id string) bool { return d.Left != nil && d.Left.Groups[id] != "" }

// User of Identity Center.
type User struct {
	Login string `json:"login"`           // the user name without the suffix, in lower case
	Name  string `json:"name,omitempty"`  // as Identity Center has it; empty: the login and the suffix
	Entra bool   `json:"entra,omitempty"` // comes from Entra ID: never deleted by the function
	Off   bool   `json:"off,omitempty"`   // disabled: can't sign in
}

// Membership of a user in a group, by their IDs.
type Membership struct {
	Group string `json:"group"`
	User  string `json:"user"`
}

// readTeams reads the organisation's teams and their members, child teams'
// members included, as the function's GraphQL query does. REST is used because
// it answers 403 where an App lacks the permission to read members; GraphQL
// would answer with no teams, which reads like "delete everything". A team that is
// gone when its members are asked for was deleted or renamed, so the teams are
// listed again.
func (o *operation) readTeams(ctx context.Context, progress func(done, of int)) (Teams, error) {
	ctx = githubaccess.Patiently(ctx, patienceWithGitHub)
	teams := Teams{}
	for range rounds {
		slugs, err := o.listTeams(ctx)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(teams, func(team string, _ []string) bool {
			return !slices.ContainsFunc(slugs, func(slug string) bool { return strings.ToLower(slug) == team })
		})
		whole, err := o.readEach(ctx, slugs, teams, progress)
		if err != nil {
			return nil, err
		}
		if whole {
			return teams, nil
		}
	}
	return nil, &ops.Error{
		Kind: ops.Unavailable, Passing: true,
		What: fmt.Sprintf("The teams of %s changed again and again while they were read: GitHub lists some whose members it doesn't show.", o.organization),
		Next: "Try again in a few minutes. If it goes on, the GitHub App may not read the members of every team.",
	}
}

const (
	// patienceWithGitHub is how long a read waits where GitHub asks for it: at the
	// secondary limit it asks for a minute.
	patienceWithGitHub = 90 * time.Second
	// rounds is how often the teams are listed in all.
	rounds = 3
)

// listTeams lists the slugs of the teams that the function syncs.
func (o *operation) listTeams(ctx context.Context) ([]string, error) {
	var slugs []string
	page := &github.ListOptions{PerPage: 100}
	for {
		if err := o.githubLimit.Wait(ctx, "teams"); err != nil {
			return nil, fmt.Errorf("list the teams of %s: %w", o.organization, err)
		}
		list, response, err := o.github.Teams.ListTeams(ctx, o.organization, page)
		if err != nil {
			return nil, githubaccess.Explain(fmt.Errorf("list the teams of %s: %w", o.organization, err))
		}
		for _, team := range list {
			if !slices.Contains(o.settings.IgnoreTeams, team.GetSlug()) {
				slugs = append(slugs, team.GetSlug())
			}
		}
		if response.NextPage == 0 {
			break
		}
		page.Page = response.NextPage
	}
	if len(slugs) == 0 {
		return nil, &ops.Error{
			Kind: ops.Refused,
			What: fmt.Sprintf("GitHub says that the organisation %s has no teams. If the function was told the same, it would delete every group and user it owns.", o.organization),
			Next: "Most likely the GitHub App lacks the permission to read members, or GitHub is in trouble.",
		}
	}
	return slugs, nil
}

// readEach reads the members of the teams that aren't in teams yet. It returns whether
// all of them were still there.
func (o *operation) readEach(ctx context.Context, slugs []string, teams Teams, progress func(done, of int)) (whole bool, err error) {
	var mu sync.Mutex
	done := len(teams)
	missing := slices.DeleteFunc(slices.Clone(slugs), func(slug string) bool { _, known := teams[strings.ToLower(slug)]; return known })
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for _, slug := range missing {
		group.Go(func() error {
			members, err := o.readMembers(ctx, slug)
			if githubaccess.NotFound(err) {
				return nil
			}
			if err != nil {
				return githubaccess.Explain(err)
			}
			mu.Lock()
			defer mu.Unlock()
			teams[strings.ToLower(slug)] = members
			done++
			progress(done, len(slugs))
			return nil
		})
	}
	err = group.Wait()
	return done == len(slugs), err
}

func (o *operation) readMembers(ctx context.Context, slug string) ([]string, error) {
	members := []string{}
	page := &github.TeamListTeamMembersOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for {
		if err := o.githubLimit.Wait(ctx, "members"); err != nil {
			return nil, fmt.Errorf("list the members of team %s: %w", slug, err)
		}
		list, response, err := o.github.Teams.ListTeamMembersBySlug(ctx, o.organization, slug, page)
		if err != nil {
			return nil, fmt.Errorf("list the members of team %s: %w", slug, err)
		}
		for _, member := range list {
			members = append(members, strings.ToLower(member.GetLogin()))
		}
		if response.NextPage == 0 {
			slices.Sort(members)
			return members, nil
		}
		page.Page = response.NextPage
	}
}

// readDirectory reads Identity Center with the role for looking.
func (o *operation) readDirectory(ctx context.Context, r ops.Request, progress func(done, of int)) (Directory, error) {
	return o.readGroups(ctx, r, nil, progress)
}

// readGroups is readDirectory with the members of those groups alone whose names
// are wanted; nil: of all groups.
func (o *operation) readGroups(ctx context.Context, r ops.Request, wanted func(name string) bool, progress func(done, of int)) (Directory, error) {
	d := newDirectory()
	client, err := o.identityCenter(r)
	if err != nil {
		return d, err
	}
	explain := o.explainLook
	group, listing := errgroup.WithContext(ctx)
	group.Go(func() error { return explain(o.listUsers(listing, client, d.Users)) })
	group.Go(func() error { return explain(o.listGroups(listing, client, d)) })
	if err := group.Wait(); err != nil {
		return d, err
	}
	var mu sync.Mutex
	var done atomic.Int64
	group, listing = errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	of := len(d.Groups) + len(d.Left.Groups)
	read := func(id string, into map[string]Membership) {
		group.Go(func() error {
			members, err := o.listMemberships(listing, client, id)
			if err != nil {
				return explain(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for membership, user := range members {
				into[membership] = Membership{Group: id, User: user}
			}
			progress(int(done.Add(1)), of)
			return nil
		})
	}
	for id, name := range d.Groups {
		if wanted == nil || wanted(name) {
			read(id, d.Memberships)
		}
	}
	if wanted == nil {
		for id := range d.Left.Groups {
			read(id, d.Left.Memberships)
		}
	}
	return d, group.Wait()
}

func newDirectory() Directory {
	return Directory{
		Users: map[string]User{}, Groups: map[string]string{}, Titles: map[string]string{}, Memberships: map[string]Membership{},
		Left: &Left{Groups: map[string]string{}, Titles: map[string]string{}, Memberships: map[string]Membership{}},
	}
}

// readNames reads who is who, without the memberships.
func (o *operation) readNames(ctx context.Context, r ops.Request) (Directory, error) {
	d := newDirectory()
	client, err := o.identityCenter(r)
	if err != nil {
		return d, err
	}
	if err := o.listUsers(ctx, client, d.Users); err != nil {
		return d, o.explainLook(err)
	}
	err = o.explainLook(o.listGroups(ctx, client, d))
	return d.whole(), err
}

// explainLook explains a fault of a read of Identity Center.
func (o *operation) explainLook(err error) error {
	return awsaccess.Explain(err, o.settings.LookRole,
		awsaccess.Named{What: fmt.Sprintf("the identity store %s in %s", o.settings.IdentityStore, o.settings.Region), Setting: "operations.scim-sync.identity_store and region"})
}

func (o *operation) listUsers(ctx context.Context, client *identitystore.Client, users map[string]User) error {
	pages := identitystore.NewListUsersPaginator(client, &identitystore.ListUsersInput{
		IdentityStoreId: aws.String(o.settings.IdentityStore), MaxResults: aws.Int32(100),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the users of Identity Center: %w", err)
		}
		for _, u := range page.Users {
			name := aws.ToString(u.UserName)
			user := User{
				// The function takes out the first place where the suffix stands.
				Login: strings.ToLower(strings.Replace(name, o.settings.EmailSuffix, "", 1)),
				Entra: slices.ContainsFunc(u.Emails, func(e types.Email) bool { return aws.ToString(e.Type) == "EntraId" }),
				Off:   u.UserStatus == types.UserStatusDisabled,
			}
			if name != user.Login+o.settings.EmailSuffix {
				user.Name = name
			}
			users[aws.ToString(u.UserId)] = user
		}
	}
	return nil
}

func (o *operation) listGroups(ctx context.Context, client *identitystore.Client, d Directory) error {
	pages := identitystore.NewListGroupsPaginator(client, &identitystore.ListGroupsInput{
		IdentityStoreId: aws.String(o.settings.IdentityStore), MaxResults: aws.Int32(100),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the groups of Identity Center: %w", err)
		}
		for _, g := range page.Groups {
			id, title := aws.ToString(g.GroupId), aws.ToString(g.DisplayName)
			name := strings.ToLower(title)
			groups, titles := d.Groups, d.Titles
			if o.ignored(name) {
				groups, titles = d.Left.Groups, d.Left.Titles
			}
			if groups[id] = name; title != name {
				titles[id] = title
			}
		}
	}
	return nil
}

// listMemberships returns the group's UserIds by MembershipId. A group that
// was deleted in between has none.
func (o *operation) listMemberships(ctx context.Context, client *identitystore.Client, group string) (map[string]string, error) {
	members := map[string]string{}
	pages := identitystore.NewListGroupMembershipsPaginator(client, &identitystore.ListGroupMembershipsInput{
		IdentityStoreId: aws.String(o.settings.IdentityStore), GroupId: aws.String(group), MaxResults: aws.Int32(100),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the members of group %s: %w", group, err)
		}
		for _, m := range page.GroupMemberships {
			if user, ok := m.MemberId.(*types.MemberIdMemberUserId); ok {
				members[aws.ToString(m.MembershipId)] = user.Value
			}
		}
	}
	return members, nil
}

func (o *operation) ignored(group string) bool {
	return slices.ContainsFunc(o.settings.IgnoreGroups, func(pattern string) bool {
		matched, _ := path.Match(strings.ToLower(pattern), group)
		return matched
	})
}

// user names a user for people: "octocat (9067…)".
func (d Directory) user(id string) string {
	if u, ok := d.Users[id]; ok {
		return u.told() + " (" + id + ")"
	}
	return id
}

// group names a group for people: "platform (a1b2…)".
func (d Directory) group(id string) string {
	if _, ok := d.Groups[id]; ok {
		return d.title(id) + " (" + id + ")"
	}
	return id
}

// told is the user's name for people: the login, for users whom the function made, and
// otherwise the name as Identity Center has it.
func (u User) told() string { return cmp.Or(u.Name, u.Login) }

// title is the name of a group as Identity Center has it.
func (d Directory) title(id string) string { return cmp.Or(d.Titles[id], d.Groups[id]) }

// teamsOf is the names of the groups that have each login among their members.
func (d Directory) teamsOf() map[string][]string {
	teams := map[string][]string{}
	for _, m := range d.Memberships {
		login := d.Users[m.User].Login
		teams[login] = append(teams[login], d.Groups[m.Group])
	}
	for _, list := range teams {
		slices.Sort(list)
	}
	return teams
}

// with is d and what more holds besides; where both know an ID, d is right.
func (d Directory) with(more Directory) Directory {
	all := Directory{Users: maps.Clone(more.Users), Groups: maps.Clone(more.Groups), Titles: maps.Clone(more.Titles), Memberships: maps.Clone(more.Memberships)}
	if all.Titles == nil {
		all.Titles = map[string]string{}
	}
	if all.Users == nil {
		all.Users = map[string]User{}
	}
	if all.Groups == nil {
		all.Groups = map[string]string{}
	}
	if all.Memberships == nil {
		all.Memberships = map[string]Membership{}
	}
	maps.Copy(all.Users, d.Users)
	maps.Copy(all.Groups, d.Groups)
	maps.Copy(all.Titles, d.Titles)
	maps.Copy(all.Memberships, d.Memberships)
	return all
}

// without is what d has and known hasn't.
func (d Directory) without(known Directory) Directory {
	fresh := Directory{Users: map[string]User{}, Groups: map[string]string{}, Titles: map[string]string{}}
	for id, u := range d.Users {
		if _, ok := known.Users[id]; !ok {
			fresh.Users[id] = u
		}
	}
	for id, g := range d.Groups {
		if _, ok := known.Groups[id]; !ok {
			fresh.Groups[id] = g
			if title := d.Titles[id]; title != "" {
				fresh.Titles[id] = title
			}
		}
	}
	return fresh
}
