package awstest

type plannedHook struct {
	action string
	do     func(Call)
}

// OnCall has do called right before a call of action is carried out: it is allowed, no fault takes it, and nothing has
// happened yet. do may call the Cloud's methods, so it is the place to let somebody else change the world between two calls
// of the program: a key made after the keys were listed. do runs for every such call, each in the goroutine that answers it.
// action is named as for [Cloud.Fail].
func (c *Cloud) OnCall(action string, do func(Call)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkAction(action)
	c.hooks = append(c.hooks, plannedHook{action, do})
}

// runHooks calls what OnCall planned for a call, without the lock, which the caller holds.
func (c *Cloud) runHooks(action string, call Call) {
	for _, h := range c.hooks {
		if matchFold(h.action, action) {
			c.mu.Unlock()
			h.do(call)
			c.mu.Lock()
		}
	}
}
