/* SPDX-License-Identifier: ISC */
#include "fs/loop.h"
#include "fs/payload.h"

#include <errno.h>
#include <linux/fuse.h>
#include <semaphore.h>
#include <signal.h>
#include <utlist.h>

/* Threads are started as they are needed; those that wait in fsync are many at
 * times. */
#define THREADS_FIRST 2
#define THREADS_MAX 512
#define THREADS_IDLE 16

#define BUFFER_ROOM ((size_t)2 << 20)	/* bytes; libfuse takes half of it */

/* A thread that nobody can replace waits so long for memory. */
#define MEMORY_INTERVAL_NS (10 * 1000 * 1000)
/* How often threads that may have been just about to wait are woken again. */
#define WAKE_INTERVAL_NS (20 * 1000 * 1000)

struct loop {
	struct fuse_session *session;
	sem_t left;			/* a thread has */
	pthread_mutex_t lock;		/* leaf; guards what follows */
	struct worker *workers;
	unsigned int count;
	unsigned int idle;		/* of them wait for requests */
	int error;
};

struct worker {
	struct loop *loop;
	pthread_t thread;		/* loop->lock */
	struct fuse_buf buffer;
	_Atomic bool receives;
	struct worker *prev, *next;	/* loop->lock */
};

static void *serve(void *context);

static int start_locked(struct loop *loop)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	r = thread_start(&w->thread, serve, w);
	if (r < 0) {
		free(w);
		return r;
	}
	pthread_detach(w->thread);
	DL_APPEND(loop->workers, w);
	loop->count++;
	loop->idle++;
	return 0;
}

static bool leave_locked(struct worker *w)
{
	struct loop *loop = w->loop;

	DL_DELETE(loop->workers, w);
	loop->count--;
	loop->idle--;
	sem_post(&loop->left);
	return true;
}

/* Without memory for its buffer a thread leaves, unless no other waits for
 * requests. */
static bool give_up(struct worker *w)
{
	const struct timespec interval = { .tv_nsec = MEMORY_INTERVAL_NS };

	{
		SCOPED_LOCK(&w->loop->lock);
		if (w->loop->idle > 1)
			return leave_locked(w);
	}
	nanosleep(&interval, NULL);
	return false;
}

static bool fail(struct worker *w, int error)
{
	SCOPED_LOCK(&w->loop->lock);

	if (error < 0) {
		w->loop->error = error;
		fuse_session_exit(w->loop->session);
	}
	return leave_locked(w);
}

/* Whether there is a request to serve; otherwise the thread has left. */
static bool receive(struct worker *w)
{
	struct fuse_session *session = w->loop->session;
	int r;

	for (;;) {
		w->receives = true;
		r = fuse_session_exited(session) ? 0 :
			fuse_session_receive_buf(session, &w->buffer);
		w->receives = false;
		if (r > 0)
			return true;
		if (r == -ENOMEM && !w->buffer.mem) {
			if (give_up(w))
				return false;
		} else if (r != -EINTR && r != -EAGAIN && r != -ENOMEM) {
			fail(w, r);
			return false;
		}
	}
}

/* A burst of those, which nobody waits for, needs no threads. */
static bool is_forget(const struct worker *w)
{
	const struct fuse_in_header *header = w->buffer.mem;

	return header->opcode == FUSE_FORGET ||
	       header->opcode == FUSE_BATCH_FORGET;
}

/* Another thread waits meanwhile for what comes next; if none can be started, that
 * waits for those that are there. */
static void begin(struct worker *w)
{
	struct loop *loop = w->loop;
	SCOPED_LOCK(&loop->lock);

	loop->idle--;
	if (!loop->idle && loop->count < THREADS_MAX && !is_forget(w))
		(void)start_locked(loop);
}

/* Whether the thread is to go on. */
static bool end(struct worker *w)
{
	struct loop *loop = w->loop;
	SCOPED_LOCK(&loop->lock);

	loop->idle++;
	return loop->idle <= THREADS_IDLE || !leave_locked(w);
}

static void *serve(void *context)
{
	struct worker *w = context;
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	while (receive(w)) {
		begin(w);
		fuse_session_process_buf(w->loop->session, &w->buffer);
		if (!end(w))
			break;
	}
	payload_release();
	free(w->buffer.mem);
	free(w);
	return NULL;
}

/* ---- until the end ---- */

static bool wake_all(struct loop *loop)
{
	struct worker *w;
	SCOPED_LOCK(&loop->lock);

	DL_FOREACH(loop->workers, w)
		if (w->receives)
			pthread_kill(w->thread, SIGUSR1);
	return loop->workers;
}

/* Signals end the wait.  Who sees the end of the session does not tell the other
 * threads. */
static void wait_for_end(struct loop *loop)
{
	struct timespec until;

	while (!fuse_session_exited(loop->session))
		sem_wait(&loop->left);
	while (wake_all(loop)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += WAKE_INTERVAL_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		sem_timedwait(&loop->left, &until);
	}
}

/* What is put by before they are started is for their buffers: without one they
 * would wait for memory for ever, and with them everybody who uses the mount. */
static int start_first(struct loop *loop)
{
	void *volatile room = malloc(THREADS_FIRST * BUFFER_ROOM);
	int r = room ? 0 : -ENOMEM;
	SCOPED_LOCK(&loop->lock);

	for (int i = 0; r == 0 && i < THREADS_FIRST; i++)
		r = start_locked(loop);
	free(room);
	return loop->workers ? 0 : r;
}

int loop_run(struct fs *fs, int (*started)(void))
{
	struct loop loop = { .session = fs->session };
	bool serving;
	int r;

	pthread_mutex_init(&loop.lock, NULL);
	sem_init(&loop.left, 0, 0);
	r = start_first(&loop);
	serving = r == 0;
	if (serving && started)
		r = started();
	if (r < 0)
		fuse_session_exit(fs->session);
	if (serving)
		wait_for_end(&loop);
	if (r == 0)
		r = loop.error;
	sem_destroy(&loop.left);
	pthread_mutex_destroy(&loop.lock);
	fuse_session_reset(fs->session);
	return r;
}
