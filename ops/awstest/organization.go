package awstest

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

// Organization is the Organization that accounts belong to, with all features and with service control policies enabled. Its
// management account is the Cloud's own unless SetManagement says otherwise. Service control policies are shown to those who
// ask for them, but keep nobody here from anything: what a closed or a quarantined account can still do, awstest doesn't know.
type Organization struct {
	cloud      *Cloud
	id         string
	management string
	root       *orgEntity
	entities   map[string]*orgEntity // the root, OUs and accounts by ID
	units      []*orgEntity          // OUs in the order they were added
	accounts   []*orgAccount         // in the order they were added
	policies   map[string]*orgPolicy // by ID
	emptyPages int
	lag        time.Duration

	closures []closure
	closing  []ClosingStep
	quota    int // of closures in 30 days; -1 is AWS's own
	atOnce   int // closures that may be under way

	rates     bool
	throttles map[string]*throttle // by account and action
}

// orgEntity is what the tree of an Organization is made of.
type orgEntity struct {
	kind     string // as in its ARN: root, ou or account
	id, name string
	parent   *orgEntity // nil: it is the root
	serial   int64      // of its making
	tags     map[string]string
	policies []string // IDs of those attached to it, in order
	account  *orgAccount
	past     []pastPlace // earlier places, as long as reads may still show them
}

// pastPlace is where something was, and with which tags, until a time.
type pastPlace struct {
	until  time.Time
	parent *orgEntity
	tags   map[string]string
}

// keep is called before the API changes e: it keeps e's place and tags for as long as reads may still show them. The caller holds the lock.
func (o *Organization) keep(e *orgEntity) {
	if o.lag > 0 {
		e.past = append(e.past, pastPlace{o.cloud.now(), e.parent, maps.Clone(e.tags)})
	}
}

// seen is where ListParents and ListTagsForResource show e, and with which tags.
func (o *Organization) seen(e *orgEntity) pastPlace {
	if at := o.cloud.now().Add(-o.lag); o.lag > 0 {
		for _, p := range e.past {
			if p.until.After(at) {
				return p
			}
		}
	}
	return pastPlace{parent: e.parent, tags: e.tags}
}

type orgAccount struct {
	*orgEntity
	email         string
	state, status string
	method        string
	joined        time.Time
	services      []delegatedService

	requested time.Time     // when CloseAccount was accepted
	steps     []ClosingStep // what is still to come of that
	pending   bool          // being closed, whatever it shows
	closed    bool
}

// OrgAccount is an account of the Organization, both as a test describes one and as [Organization.Account] shows it: then times
// are in UTC, lists are sorted, and empty ones are nil.
type OrgAccount struct {
	ID, Name, Email string

	// State is what the account shows: PENDING_ACTIVATION, ACTIVE, SUSPENDED, PENDING_CLOSURE, CLOSED or whatever else a test
	// likes; "" leaves it out of the answers. Status is its forerunner, which AWS has taken out of its answers in September
	// 2026: it is "" unless a test sets it.
	// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
	State, Status string

	Joined       time.Time
	JoinedMethod string // CREATED or INVITED

	Parent string // ID of the root or the OU that the account is in
	Tags   map[string]string

	// These are for reading. Policies are the IDs of the service control policies attached to the account itself, Services are
	// what it is a delegated administrator for, CloseRequested is when CloseAccount was last accepted for it.
	Policies, Services []string
	CloseRequested     time.Time
}

// Organization is the one that there is; the first call makes it.
func (c *Cloud) Organization() *Organization {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.organization == nil {
		c.organization = newOrganization(c)
	}
	return c.organization
}

func newOrganization(c *Cloud) *Organization {
	sum := hexSum([]byte(c.opts.Account))
	o := &Organization{
		cloud: c, id: "o-" + sum[:10], management: c.opts.Account,
		entities: map[string]*orgEntity{}, policies: map[string]*orgPolicy{}, throttles: map[string]*throttle{},
		closing: []ClosingStep{{State: pendingClosure}}, quota: -1, atOnce: 3,
	}
	o.policies[fullAccess] = fullAccessPolicy
	o.root = o.enter(&orgEntity{kind: "root", id: "r-" + sum[10:14], name: "Root"})
	o.add(c.opts.Account, "management", "aws-root@example.org", func(a *OrgAccount) { a.JoinedMethod = "INVITED" })
	return o
}

// enter makes an entity part of the tree. As in every Organization with service control policies, all are allowed at first.
func (o *Organization) enter(e *orgEntity) *orgEntity {
	e.serial = o.cloud.next()
	e.policies = []string{fullAccess}
	o.entities[e.id] = e
	o.cloud.touch()
	return e
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// AddAccount adds an account to the root, active and joined now, or gives the one with this ID another name and address. Each
// change gets the account as it then is, and may change whatever isn't for reading. It must not call the Cloud.
func (o *Organization) AddAccount(id, name, email string, change ...func(*OrgAccount)) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.add(id, name, email, change...)
}

// ChangeAccount lets change have its way with an account, as somebody else might at any time. It must not call the Cloud.
func (o *Organization) ChangeAccount(id string, change func(*OrgAccount)) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	if a := o.theAccount(id, "change"); a != nil {
		o.change(a, change)
	}
}

// RemoveAccount takes an account out of the Organization, as happens 90 days after it was closed.
func (o *Organization) RemoveAccount(id string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	if id == o.management {
		o.cloud.problem("remove account %s: it is the management account", id)
	} else if a := o.theAccount(id, "remove"); a != nil {
		o.accounts = slices.DeleteFunc(o.accounts, func(other *orgAccount) bool { return other == a })
		delete(o.entities, id)
		o.cloud.touch()
	}
}

// SetState changes what an account shows, by the hand of AWS: closed after CloseAccount, active again when AWS Support has
// reinstated it, or unable to tell. "" leaves a member out of the answers. It ends what [Organization.SetClosing] plans.
func (o *Organization) SetState(id, state, status string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	if a := o.theAccount(id, "set the state of"); a != nil {
		a.become(state, status)
		o.cloud.touch()
	}
}

// Account is the account as it is; ok is false when there is none.
func (o *Organization) Account(id string) (account OrgAccount, ok bool) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	a := o.account(id)
	if a == nil {
		return OrgAccount{}, false
	}
	return a.snapshot(o), true
}

// Accounts are the IDs of all accounts, sorted.
func (o *Organization) Accounts() []string {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	var ids []string
	for _, a := range o.accounts {
		ids = append(ids, a.id)
	}
	slices.Sort(ids)
	return ids
}

// SetManagement makes an account the management account; it is added where it isn't there.
func (o *Organization) SetManagement(id string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.management = id
	if o.account(id) == nil {
		o.add(id, "management", "aws-root@example.org", func(a *OrgAccount) { a.JoinedMethod = "INVITED" })
	}
}

// SetEmptyPages makes every list of Organizations answer n empty pages with a token before each page with items, and end with
// an empty page: AWS warns of that in all of them. 0, the start, is none.
func (o *Organization) SetEmptyPages(n int) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.emptyPages = n
}

// SetLag makes Organizations eventually consistent: what ListParents and ListTagsForResource show is as it was d ago by the Cloud's
// clock, of what the API has changed. 0, the start, shows everything at once. Changes, and [Organization.Account], go by what is.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_troubleshoot_general.html
func (o *Organization) SetLag(d time.Duration) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.lag = d
}

func (o *Organization) add(id, name, email string, changes ...func(*OrgAccount)) {
	if !accountID.MatchString(id) || name == "" || email == "" {
		o.cloud.problem("add account %q %q %q: an account has an ID of twelve digits, a name and an e-mail address", id, name, email)
	}
	a := o.account(id)
	if a == nil {
		e := o.enter(&orgEntity{kind: "account", id: id, name: name, parent: o.root})
		a = &orgAccount{orgEntity: e, state: "ACTIVE", method: "CREATED", joined: whole(o.cloud.now())}
		e.account = a
		o.accounts = append(o.accounts, a)
	}
	a.name, a.email = name, email
	for _, change := range changes {
		o.change(a, change)
	}
}

// change makes an account what change leaves of it.
func (o *Organization) change(a *orgAccount, change func(*OrgAccount)) {
	before := a.snapshot(o)
	after := a.snapshot(o)
	change(&after)
	if after.State != before.State || after.Status != before.Status {
		a.become(after.State, after.Status)
	}
	a.name, a.email, a.method, a.joined = after.Name, after.Email, after.JoinedMethod, after.Joined.UTC()
	a.tags = cloneMap(after.Tags)
	if parent := o.container(after.Parent); parent != nil {
		a.parent = parent
	} else {
		o.cloud.problem("account %s: move to %q: no such root or OU", a.id, after.Parent)
	}
	o.cloud.touch()
}

// snapshot is the account for a test to see.
func (a *orgAccount) snapshot(o *Organization) OrgAccount {
	a.settle(o.cloud.now())
	s := OrgAccount{
		ID: a.id, Name: a.name, Email: a.email, State: a.state, Status: a.status, Joined: a.joined, JoinedMethod: a.method,
		Parent: a.parent.id, Tags: cloneMap(a.tags), CloseRequested: a.requested.UTC(),
		Policies: sorted(a.policies, func(id string) string { return id }),
	}
	for _, d := range a.services {
		s.Services = append(s.Services, d.principal)
	}
	slices.Sort(s.Services)
	return s
}

// account is nil when there is none.
func (o *Organization) account(id string) *orgAccount {
	if e := o.entities[id]; e != nil {
		return e.account
	}
	return nil
}

// theAccount is an account that must be there.
func (o *Organization) theAccount(id, what string) *orgAccount {
	a := o.account(id)
	if a == nil {
		o.cloud.problem("%s account %s: no such account", what, id)
	}
	return a
}
