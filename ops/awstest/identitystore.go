package awstest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// IdentityStore is one store of IAM Identity Center: users, groups and who is in which. Names are compared without regard to
// case, as Identity Center does.
type IdentityStore struct {
	cloud           *Cloud
	id              string
	account, region string
	users           []*storedUser
	groups          []*storedGroup
	memberships     []*storedMembership
	made            int
}

// Email is one e-mail address of a user.
type Email struct {
	Value   string
	Type    string `json:",omitempty"`
	Primary bool   `json:",omitempty"`
}

// Snapshot is a store by names, each list sorted: what a test compares.
type Snapshot struct {
	Users  []string            // user names
	Groups []string            // display names
	Member map[string][]string // display name of a group to its members' user names; a group without members is not in it
}

type personName struct {
	FamilyName      string `json:",omitempty"`
	Formatted       string `json:",omitempty"`
	GivenName       string `json:",omitempty"`
	HonorificPrefix string `json:",omitempty"`
	HonorificSuffix string `json:",omitempty"`
	MiddleName      string `json:",omitempty"`
}

type externalIdentifier struct{ Id, Issuer string }

type storedUser struct {
	serial          int // of its making
	IdentityStoreId string
	UserId          string
	UserArn         string
	Revision        string
	UserName        string               `json:",omitempty"`
	DisplayName     string               `json:",omitempty"`
	Name            *personName          `json:",omitempty"`
	Emails          []Email              `json:",omitempty"`
	ExternalIds     []externalIdentifier `json:",omitempty"`
	UserStatus      string
	CreatedAt       float64
	UpdatedAt       float64
}

type storedGroup struct {
	serial          int // of its making
	IdentityStoreId string
	GroupId         string
	GroupArn        string
	Revision        string
	DisplayName     string               `json:",omitempty"`
	Description     string               `json:",omitempty"`
	ExternalIds     []externalIdentifier `json:",omitempty"`
	CreatedAt       float64
	UpdatedAt       float64
}

type memberID struct{ UserId string }

type storedMembership struct {
	serial          int // of its making
	IdentityStoreId string
	MembershipId    string
	MembershipArn   string
	GroupId         string
	MemberId        memberID
	CreatedAt       float64
	UpdatedAt       float64
}

// IdentityStore is the store with this ID ("d-1234567890"), made where there is none, in the Cloud's account and Region.
func (c *Cloud) IdentityStore(id string) *IdentityStore {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !storeID.MatchString(id) {
		c.problem("identity store %q: an ID is d- and ten digits or letters a to f", id)
	}
	s := c.stores[id]
	if s == nil {
		s = &IdentityStore{cloud: c, id: id, account: c.opts.Account, region: c.opts.Region}
		c.stores[id] = s
	}
	return s
}

// AddUser adds a user and returns the user's ID. Without emails the user gets the name as primary work address.
func (s *IdentityStore) AddUser(name string, emails ...Email) string {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if s.userNamed(name) != nil {
		s.cloud.problem("add user %s: exists", name)
	}
	if len(emails) == 0 {
		emails = []Email{{Value: name, Type: "work", Primary: true}}
	}
	return s.createUser(&storedUser{
		UserName: name, DisplayName: name, Emails: emails,
		Name: &personName{GivenName: name, FamilyName: name},
	}).UserId
}

// AddGroup adds a group and returns its ID.
func (s *IdentityStore) AddGroup(name string) string {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if s.groupNamed(name) != nil {
		s.cloud.problem("add group %s: exists", name)
	}
	return s.createGroup(&storedGroup{DisplayName: name}).GroupId
}

// AddMember puts users into a group, all by name; one that isn't there is a problem.
func (s *IdentityStore) AddMember(group string, users ...string) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	g := s.groupNamed(group)
	for _, name := range users {
		if u := s.userNamed(name); u == nil || g == nil {
			s.cloud.problem("add %s to %s: no such user or group", name, group)
		} else if s.membershipOf(g.GroupId, u.UserId) == nil {
			s.createMembership(g.GroupId, u.UserId)
		}
	}
}

// RemoveUser removes a user and the user's memberships, as somebody else might at any time; none of that name is no problem.
func (s *IdentityStore) RemoveUser(name string) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if u := s.userNamed(name); u != nil {
		s.deleteUser(u.UserId)
	}
}

// RemoveGroup removes a group and its memberships.
func (s *IdentityStore) RemoveGroup(name string) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if g := s.groupNamed(name); g != nil {
		s.deleteGroup(g.GroupId)
	}
}

// RemoveMember takes a user out of a group.
func (s *IdentityStore) RemoveMember(group, user string) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if g, u := s.groupNamed(group), s.userNamed(user); g != nil && u != nil {
		if m := s.membershipOf(g.GroupId, u.UserId); m != nil {
			s.deleteMembership(m.MembershipId)
		}
	}
}

// DisableUser takes a user's access away, and keeps the user.
func (s *IdentityStore) DisableUser(name string) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if u := s.userNamed(name); u != nil {
		u.UserStatus = "DISABLED"
	}
}

// RenameUser gives a user another name.
func (s *IdentityStore) RenameUser(name, to string) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if u := s.userNamed(name); u != nil {
		u.UserName = to
	}
}

// RenameGroup gives a group another name.
func (s *IdentityStore) RenameGroup(name, to string) {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if g := s.groupNamed(name); g != nil {
		g.DisplayName = to
	}
}

// UserID is the ID of the user with this name; "" is none.
func (s *IdentityStore) UserID(name string) string {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if u := s.userNamed(name); u != nil {
		return u.UserId
	}
	return ""
}

// GroupID is the ID of the group with this name; "" is none.
func (s *IdentityStore) GroupID(name string) string {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if g := s.groupNamed(name); g != nil {
		return g.GroupId
	}
	return ""
}

// MembershipID is the ID of the membership of a user in a group, both by name; "" is none.
func (s *IdentityStore) MembershipID(group, user string) string {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	if g, u := s.groupNamed(group), s.userNamed(user); g != nil && u != nil {
		if m := s.membershipOf(g.GroupId, u.UserId); m != nil {
			return m.MembershipId
		}
	}
	return ""
}

// Snapshot is the store as it is now.
func (s *IdentityStore) Snapshot() Snapshot {
	s.cloud.mu.Lock()
	defer s.cloud.mu.Unlock()
	snap := Snapshot{Users: []string{}, Groups: []string{}, Member: map[string][]string{}}
	for _, u := range s.users {
		snap.Users = append(snap.Users, u.UserName)
	}
	for _, g := range s.groups {
		snap.Groups = append(snap.Groups, g.DisplayName)
	}
	for _, m := range s.memberships {
		g, u := s.group(m.GroupId), s.user(m.MemberId.UserId)
		snap.Member[g.DisplayName] = append(snap.Member[g.DisplayName], u.UserName)
	}
	slices.Sort(snap.Users)
	slices.Sort(snap.Groups)
	for _, members := range snap.Member {
		slices.Sort(members)
	}
	return snap
}

func find[T any](all []T, is func(T) bool) (none T) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return none
}

func (s *IdentityStore) user(id string) *storedUser {
	return find(s.users, func(u *storedUser) bool { return u.UserId == id })
}

func (s *IdentityStore) userNamed(name string) *storedUser {
	return find(s.users, func(u *storedUser) bool { return strings.EqualFold(u.UserName, name) })
}

func (s *IdentityStore) group(id string) *storedGroup {
	return find(s.groups, func(g *storedGroup) bool { return g.GroupId == id })
}

func (s *IdentityStore) groupNamed(name string) *storedGroup {
	return find(s.groups, func(g *storedGroup) bool { return strings.EqualFold(g.DisplayName, name) })
}

func (s *IdentityStore) membership(id string) *storedMembership {
	return find(s.memberships, func(m *storedMembership) bool { return m.MembershipId == id })
}

func (s *IdentityStore) membershipOf(group, user string) *storedMembership {
	return find(s.memberships, func(m *storedMembership) bool { return m.GroupId == group && m.MemberId.UserId == user })
}

// newID makes an ID as the store does: its own number, then a UUID.
func (s *IdentityStore) newID(kind string) string {
	s.made++
	return strings.TrimPrefix(s.id, "d-") + "-" + stableUUID(s.id, kind, strconv.Itoa(s.made))
}

func (s *IdentityStore) stamp() float64 { return float64(s.cloud.now().Truncate(time.Second).Unix()) }

func (s *IdentityStore) createUser(u *storedUser) *storedUser {
	u.IdentityStoreId, u.UserId, u.UserStatus, u.Revision = s.id, s.newID("user"), "ENABLED", "1"
	u.serial = s.made
	u.UserArn = "arn:aws:identitystore:::user/" + u.UserId
	u.CreatedAt, u.UpdatedAt = s.stamp(), s.stamp()
	s.users = append(s.users, u)
	s.cloud.touch()
	return u
}

func (s *IdentityStore) createGroup(g *storedGroup) *storedGroup {
	g.IdentityStoreId, g.GroupId, g.Revision = s.id, s.newID("group"), "1"
	g.serial = s.made
	g.GroupArn = "arn:aws:identitystore:::group/" + g.GroupId
	g.CreatedAt, g.UpdatedAt = s.stamp(), s.stamp()
	s.groups = append(s.groups, g)
	s.cloud.touch()
	return g
}

func (s *IdentityStore) createMembership(group, user string) *storedMembership {
	m := &storedMembership{
		IdentityStoreId: s.id, MembershipId: s.newID("membership"), GroupId: group,
		MemberId: memberID{user}, CreatedAt: s.stamp(), UpdatedAt: s.stamp(),
	}
	m.serial = s.made
	m.MembershipArn = "arn:aws:identitystore:::membership/" + m.MembershipId
	s.memberships = append(s.memberships, m)
	s.cloud.touch()
	return m
}

func (s *IdentityStore) deleteUser(id string) {
	s.users = slices.DeleteFunc(s.users, func(u *storedUser) bool { return u.UserId == id })
	s.memberships = slices.DeleteFunc(s.memberships, func(m *storedMembership) bool { return m.MemberId.UserId == id })
	s.cloud.touch()
}

func (s *IdentityStore) deleteGroup(id string) {
	s.groups = slices.DeleteFunc(s.groups, func(g *storedGroup) bool { return g.GroupId == id })
	s.memberships = slices.DeleteFunc(s.memberships, func(m *storedMembership) bool { return m.GroupId == id })
	s.cloud.touch()
}

func (s *IdentityStore) deleteMembership(id string) {
	s.memberships = slices.DeleteFunc(s.memberships, func(m *storedMembership) bool { return m.MembershipId == id })
	s.cloud.touch()
}
