//! Callbacks that run on the writing thread after the COMMIT of the transaction that registered them, and not at all if
//! their savepoint or transaction is rolled back.

use std::cell::RefCell;

type CommitHook = Box<dyn FnOnce()>;

thread_local! {
    static PENDING: RefCell<Vec<CommitHook>> = const { RefCell::new(Vec::new()) };
}

/// Registers `hook` for the transaction that is open on this thread.
pub fn after_commit(hook: impl FnOnce() + 'static) {
    PENDING.with_borrow_mut(|pending| pending.push(Box::new(hook)));
}

/// Returns how many hooks are pending: the mark to roll back to.
pub fn pending() -> usize {
    PENDING.with_borrow(Vec::len)
}

/// Drops the hooks that were registered after `mark`.
pub fn roll_back_to(mark: usize) {
    PENDING.with_borrow_mut(|pending| pending.truncate(mark));
}

/// Runs and removes all pending hooks.
pub fn run_pending() {
    for hook in PENDING.take() {
        hook();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn hooks_run_once_after_the_commit_unless_rolled_back() {
        let ran = Rc::new(RefCell::new(Vec::new()));
        let register = |n: u8| {
            let ran = Rc::clone(&ran);
            after_commit(move || ran.borrow_mut().push(n));
        };
        register(1);
        let mark = pending();
        register(2);
        roll_back_to(mark);
        register(3);
        run_pending();
        run_pending();
        assert_eq!(*ran.borrow(), [1, 3]);
    }
}
