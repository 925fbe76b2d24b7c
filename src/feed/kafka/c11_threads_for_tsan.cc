// Only in builds with TSan, which knows POSIX threads and crashes in the C11 threads that librdkafka uses. This file implements C11 threads with
// POSIX threads; the linker takes the program's symbols before the C library's. In glibc, mtx_t, cnd_t, once_flag and thrd_t have the size and the
// meaning of the POSIX types.
#include <pthread.h>
#include <threads.h>
#include <time.h>

#include <cerrno>
#include <memory>

static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t) && sizeof(cnd_t) == sizeof(pthread_cond_t) && sizeof(thrd_t) == sizeof(pthread_t));
static_assert(sizeof(once_flag) == sizeof(pthread_once_t));

namespace {

struct Start {
  thrd_start_t run;
  void* argument;
};

void* run_c11_thread(void* given) {
  const std::unique_ptr<Start> start(static_cast<Start*>(given));
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(start->run(start->argument)));
}

int status_of(int error) {
  switch (error) {
    case 0: return thrd_success;
    case ETIMEDOUT: return thrd_timedout;
    case EBUSY: return thrd_busy;
    case ENOMEM: return thrd_nomem;
    default: return thrd_error;
  }
}

pthread_mutex_t* posix(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }
pthread_cond_t* posix(cnd_t* condition) { return reinterpret_cast<pthread_cond_t*>(condition); }

}   // namespace

extern "C" {

// Debian's librdkafka is not built with TSan. So TSan does not see the atomic counters by which librdkafka decides which thread
// frees a buffer, and reports races. Reports inside librdkafka are suppressed; reports in Holdfast's callbacks are not.
const char* __tsan_default_suppressions();
const char* __tsan_default_suppressions() { return "called_from_lib:librdkafka.so\n"; }

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto start = std::make_unique<Start>(Start{run, argument});
  const int error = pthread_create(thread, nullptr, run_c11_thread, start.get());
  if (error == 0) static_cast<void>(start.release());   // the new thread owns it
  return error == EAGAIN ? thrd_nomem : status_of(error);
}

thrd_t thrd_current() { return pthread_self(); }

int thrd_join(thrd_t thread, int* result) {
  void* returned = nullptr;
  const int error = pthread_join(thread, &returned);
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<std::intptr_t>(returned));
  return status_of(error);
}

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if ((type & mtx_recursive) != 0) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  const int error = pthread_mutex_init(posix(mutex), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return status_of(error);
}
void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy(posix(mutex)); }
int mtx_lock(mtx_t* mutex) { return status_of(pthread_mutex_lock(posix(mutex))); }
int mtx_trylock(mtx_t* mutex) { return status_of(pthread_mutex_trylock(posix(mutex))); }
int mtx_unlock(mtx_t* mutex) { return status_of(pthread_mutex_unlock(posix(mutex))); }

int cnd_init(cnd_t* condition) { return status_of(pthread_cond_init(posix(condition), nullptr)); }
void cnd_destroy(cnd_t* condition) { pthread_cond_destroy(posix(condition)); }
int cnd_signal(cnd_t* condition) { return status_of(pthread_cond_signal(posix(condition))); }
int cnd_broadcast(cnd_t* condition) { return status_of(pthread_cond_broadcast(posix(condition))); }
int cnd_wait(cnd_t* condition, mtx_t* mutex) { return status_of(pthread_cond_wait(posix(condition), posix(mutex))); }
int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return status_of(pthread_cond_timedwait(posix(condition), posix(mutex), until));
}

void call_once(once_flag* flag, void (*run)(void)) { pthread_once(reinterpret_cast<pthread_once_t*>(flag), run); }

}   // extern "C"
